"""The place of a client in the stream: the position to go on from, repeats, and when to come back."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from httpx_sse import ServerSentEvent

from stagecast_client.answers import refusal
from stagecast_client.failures import Refused, StagecastError
from stagecast_client.retrying import LONGEST_PAUSE_SECONDS, pause

PATH = "/api/v1/events"
SILENCE_SECONDS = 60.0
"""A connection without a byte for so long is dead: the server sends something every 15 seconds."""
REMEMBERED = 10_000

Token = str | Callable[[], str] | None
Filter = str | Sequence[str]
OnLost = Callable[[float, StagecastError | None], None]


@dataclass(frozen=True)
class Event:
    """One event; ``kind`` is its name (``document_processing``, ``document_deleted``, ``reset`` …)."""

    kind: str
    data: dict[str, Any]


class Cursor:
    """The place of a client in the stream: takes what was received, and says what to ask for next."""

    def __init__(
        self, token: Token, position: str | None, filters: Mapping[str, Filter], on_lost: OnLost
    ) -> None:
        self.position = position
        self._token = token
        self._on_lost = on_lost
        self._filters = {_camel(name): value for name, value in filters.items()}
        self._last_id = ""
        self._seen: dict[str, None] = {}
        self._failures = 0
        self._retry_seconds = 1.0

    def request(self) -> dict[str, Any]:
        """Return arguments of httpx for the next connection."""
        token = self._token() if callable(self._token) else self._token
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if self.position is not None:
            headers["Last-Event-ID"] = self.position
        self._last_id = ""
        timeout = httpx.Timeout(10.0, read=SILENCE_SECONDS)
        return {"headers": headers, "params": httpx.QueryParams(self._filters), "timeout": timeout}

    def check(self, response: httpx.Response) -> None:
        """Raise Refused unless a stream was opened; the body of an error has been read."""
        if not response.is_success:
            raise refusal(response)
        content_type = response.headers.get("content-type", "")
        if response.status_code != 200 or not content_type.startswith("text/event-stream"):
            raise Refused(response.status_code, "The server did not answer with an event stream")

    def pause(self, failure: StagecastError | None) -> float:
        """Return the seconds to wait before the next connection; raises a failure that does not pass."""
        if failure is not None and not failure.passes:
            raise failure
        self._failures += 1
        seconds = pause(self._failures, failure.retry_after if failure else 0.0, self._retry_seconds)
        self._on_lost(seconds, failure)
        return seconds

    def take(self, received: ServerSentEvent) -> Event | None:
        """Return the event for the caller; None for a repeat and for what only moves the position."""
        if received.retry is not None:
            self._retry_seconds = min(max(received.retry, 1) / 1000, LONGEST_PAUSE_SECONDS)
        # The decoder repeats the last id on frames that carry none; only a new one moves the position.
        if received.id != self._last_id:
            self._last_id = self.position = received.id
        data = _read(received.data)
        if data is None or self._is_repeated(received.event, data):
            return None
        position = data.get("position")
        if received.event == "connected":
            self._failures = 0
        if isinstance(position, str) and (received.event == "reset" or self.position is None):
            self.position = position
        return Event(received.event, data)

    def _is_repeated(self, kind: str, data: dict[str, Any]) -> bool:
        event_id = data.get("eventId")
        if kind != "document_processing" or not isinstance(event_id, str):
            return False
        if event_id in self._seen:
            return True
        self._seen[event_id] = None
        if len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return False


def _read(data: str) -> dict[str, Any] | None:
    try:
        read = json.loads(data)
    except ValueError:
        return None
    return read if isinstance(read, dict) else None


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
