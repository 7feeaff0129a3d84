"""Settles each delivery: acknowledged, tried again later, or dead with a reason.

A handler that returns is acknowledged. A failure that may pass waits in a retry queue with growing delay; the
copy there is published and confirmed before the delivery is acknowledged, so nothing falls between. A body
that fails its schema, and a failure that has been tried out, go to the stage's dead letters with the reason
in a header. Cancellation (the connection is gone, or the process stops) settles nothing: the broker delivers
again.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar

from faststream import BaseMiddleware, StreamMessage
from faststream.rabbit.message import RabbitMessage
from pydantic import ValidationError as SchemaError
from structlog.contextvars import bound_contextvars

from contracts import stages, topology
from contracts.failures import FailureCode
from contracts.lanes import Lane
from contracts.wire import WireModel
from services.runtime.errors import MalformedMessage, Superseded, Unavailable, is_transient
from services.runtime.messaging.headers import (
    ATTEMPT_HEADER,
    BUGS_HEADER,
    CODE_HEADER,
    LANE_HEADER,
    MANUAL_HEADER,
    REASON_HEADER,
    STAGE_HEADER,
    TRIES_HEADER,
    has_died,
    is_manual,
)
from services.runtime.messaging.publisher import Publisher
from services.runtime.process.asyncio_guards import is_cancelled
from services.runtime.process.logging import get_logger

MAX_TRIES = 12
"""Tries of one command over all its retries: 20 to 40 minutes of an absent dependency."""

MAX_TRIES_OF_BUGS = 3
"""Fewer: bugs are not transient, and a person waits for the answer."""

Decoded = TypeVar("Decoded", bound=WireModel)

log = get_logger(__name__)


@dataclass(frozen=True)
class Tries:
    """The failed tries of one command: absences and bugs have counters of their own."""

    absences: int = 0
    bugs: int = 0

    @classmethod
    def of(cls, headers: Mapping[str, Any]) -> Self:
        """Count the tries before this delivery; none for one that died and was moved back, which begins anew."""
        if has_died(headers):
            return cls()
        counts = (headers.get(name, 0) for name in (TRIES_HEADER, BUGS_HEADER))
        return cls(*(count if isinstance(count, int) else 0 for count in counts))

    @property
    def total(self) -> int:
        """The number of all failed tries."""
        return self.absences + self.bugs

    def after(self, error: BaseException) -> Self:
        """Add the try that met ``error``."""
        if is_transient(error):
            return replace(self, absences=self.absences + 1)
        return replace(self, bugs=self.bugs + 1)

    def delay(self, error: BaseException) -> int | None:
        """Return the seconds to wait after the last try, which met ``error``; None when it is time to give up."""
        if is_transient(error):
            return retry_delay(self.absences, MAX_TRIES)
        return retry_delay(self.bugs, MAX_TRIES_OF_BUGS)


def retry_delay(tries: int, most: int) -> int | None:
    """Return the seconds to wait after the ``tries``-th failure of a kind, or None after ``most``."""
    if tries >= most:
        return None
    return topology.RETRY_SECONDS[min((tries - 1) // 2, len(topology.RETRY_SECONDS) - 1)]


def acknowledging(
    stage: str, publisher: Publisher, lane: Lane = Lane.FIRST
) -> type[BaseMiddleware[Any, Any]]:
    """Return the middleware that settles each delivery of ``stage`` in a lane."""

    class Acknowledging(BaseMiddleware[Any, Any]):
        async def consume_scope(
            self, call_next: Callable[[Any], Awaitable[Any]], msg: StreamMessage[Any]
        ) -> Any:
            assert isinstance(msg, RabbitMessage)  # noqa: S101 - the broker is RabbitMQ
            delivery = _Delivery(stage, lane, publisher, msg, Tries.of(msg.headers))
            with bound_contextvars(
                stage=stage, document_id=msg.correlation_id, tries=delivery.tries.total + 1
            ):
                try:
                    if not await delivery.is_moved_to_bulk():
                        await call_next(msg)
                except Superseded as reason:
                    log.info("superseded", work=str(reason))
                except Exception as error:
                    if is_cancelled():
                        raise asyncio.CancelledError from error  # unsettled, it comes again
                    if not await delivery.is_handed_on(error):
                        return
                await msg.ack()

    return Acknowledging


@dataclass(frozen=True)
class _Delivery:
    stage: str
    lane: Lane
    publisher: Publisher
    message: RabbitMessage
    tries: Tries

    async def is_moved_to_bulk(self) -> bool:
        """Move what was bulk before it was tried again from the first lane to its own; True when that is done.

        When all of bulk has failed, since a database was away, people's work must not stand behind it. What the
        broker does not take there is worked on here.
        """
        headers = self.message.headers
        if self.lane is Lane.BULK or headers.get(LANE_HEADER) != Lane.BULK or has_died(headers):
            return False
        key = topology.work_key(self.stage, Lane.BULK)
        try:
            await self.publisher.forward(
                self.message.raw_message, topology.COMMANDS, key, self._retry_headers(self.tries)
            )
        except Unavailable as reason:
            log.warning("bulk_not_moved", reason=str(reason))
            return False
        return True

    async def is_handed_on(self, error: Exception) -> bool:
        """Move a failed delivery on to where it belongs; False where nothing took it, and it is given back."""
        try:
            await self._retry_or_dead_letter(error)
        except Unavailable as reason:
            # Neither a retry queue nor the dead letters took it: back to the head of its own queue.
            log.warning("delivery_given_back", reason=str(reason))
            await self.message.nack(requeue=True)
            return False
        return True

    async def _retry_or_dead_letter(self, error: Exception) -> None:
        if isinstance(error, MalformedMessage):
            await self._dead_letter(f"malformed: {describe(error)}", 1)
            return
        tries, passes = self.tries.after(error), is_transient(error)
        if passes:
            log.warning("delivery_retried", reason=describe(error))
        else:
            log.error("delivery_failed", exc_info=error)
        seconds = tries.delay(error)
        if seconds is None:
            code = FailureCode.DELIVERY_LIMIT if passes else stages.named(self.stage).crash_code
            await self._dead_letter(
                f"gave up after {tries.total} tries: {describe(error)}", tries.total, code
            )
            return
        # What failed together shall not come back together. The queue's own delay is the longest.
        wait = seconds * random.uniform(0.5, 1)  # noqa: S311 - nobody gains by guessing it
        key, headers = f"{self.stage}.{seconds}", self._retry_headers(tries)
        await self.publisher.forward(self.message.raw_message, topology.RETRY, key, headers, wait)

    def _retry_headers(self, tries: Tries) -> dict[str, Any]:
        raw = self.message.raw_message
        headers: dict[str, Any] = {TRIES_HEADER: tries.absences, BUGS_HEADER: tries.bugs}
        if is_manual(raw):
            headers[MANUAL_HEADER] = True
        if self.lane is Lane.BULK:
            headers[LANE_HEADER] = Lane.BULK.value
        if ATTEMPT_HEADER in raw.headers:
            headers[ATTEMPT_HEADER] = raw.headers[ATTEMPT_HEADER]
        return headers

    async def _dead_letter(self, reason: str, tries: int, code: FailureCode | None = None) -> None:
        """Publish a dead letter. Its document fails with ``code``.

        None fails no document: a message that names none, or is wrong about it, must not end another's work.
        """
        log.warning("dead_lettered", reason=reason)
        headers: dict[str, Any] = {
            REASON_HEADER: reason[:1000],
            STAGE_HEADER: self.stage,
            TRIES_HEADER: tries,
        }
        if code is not None:
            headers[CODE_HEADER] = code.value
        await self.publisher.forward(self.message.raw_message, topology.DEAD, self.stage, headers)


def decode_as(command: type[Decoded]) -> Callable[[RabbitMessage], Awaitable[Decoded]]:
    """Return a subscriber's decoder; it raises MalformedMessage, so that a handler's own ValueError stays a bug."""

    async def decode(msg: RabbitMessage) -> Decoded:
        try:
            return command.model_validate_json(msg.body)
        except SchemaError as error:
            raise MalformedMessage(describe(error)) from error

    return decode


def describe(error: BaseException) -> str:
    """Describe an error in one line, without input values that may be secret or huge."""
    if isinstance(error, SchemaError):
        fields = ((".".join(map(str, one["loc"])), one["msg"]) for one in error.errors())
        return "; ".join(": ".join(filter(None, field)) for field in fields)[:500]
    return " ".join(str(error).split())[:500] or type(error).__name__
