"""The headers that record the way of a command; people see them in the management UI."""

from collections.abc import Mapping
from typing import Any

from aio_pika.abc import AbstractIncomingMessage

TRIES_HEADER = "x-stagecast-tries"
"""Tries that failed because a dependency was away; of a dead letter, all tries."""
BUGS_HEADER = "x-stagecast-bugs"
"""Tries that failed by a bug: an absence before must not make the first of them the last."""
REASON_HEADER = "x-stagecast-reason"
STAGE_HEADER = "x-stagecast-stage"
CODE_HEADER = "x-stagecast-code"
MANUAL_HEADER = "x-stagecast-by-hand"
"""On retries of a person's message: that it was one has to outlive the first try."""
LANE_HEADER = "x-stagecast-lane"
"""On retries of bulk, which come back in the first lane."""
ATTEMPT_HEADER = "x-stagecast-attempt"
"""On retries, the attempt that was worked on: tried again after its end, a command does not ask for another."""


def is_manual(raw: AbstractIncomingMessage) -> bool:
    """Return whether a person, and not one of our stages, put this message into the queue."""
    is_marked = has_died(raw.headers) or MANUAL_HEADER in raw.headers
    return is_marked or not (raw.app_id or "").startswith("stagecast.")


def is_retry_of(headers: Mapping[str, Any], attempt: int) -> bool:
    """Return whether ``attempt`` was worked on before. A dead letter that was moved back asks anew instead."""
    return headers.get(ATTEMPT_HEADER) == attempt and not has_died(headers)


def has_died(headers: Mapping[str, Any]) -> bool:
    """Return whether a message was a dead letter, of ours or of the broker. A retry carries neither mark on."""
    return REASON_HEADER in headers or died_at_the_broker(headers)


def died_at_the_broker(headers: Mapping[str, Any]) -> bool:
    """Return whether the broker gave a message up. One that only waited in a retry queue has an ``x-death`` too."""
    deaths = headers.get("x-death")
    if not isinstance(deaths, list):
        return False
    return any(isinstance(death, dict) and death.get("reason") != "expired" for death in deaths)
