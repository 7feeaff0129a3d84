"""Where a client is in the stream: the position to go on from, repeats, and when to come back."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from httpx_sse import ServerSentEvent

from stagecast_client.failures import Refused
from stagecast_client.retrying import LONGEST_PAUSE_SECONDS, passes, pause, retry_after

PATH = "/api/v1/events"
SILENCE_SECONDS = 60.0
"""A connection without a byte for so long is dead: the server sends something every 15 seconds."""
REMEMBERED = 10_000

Token = str | Callable[[], str] | None
Filter = str | Sequence[str]


@dataclass(frozen=True)
class Event:
    """One event; ``kind`` is its name (``document_processing``, ``document_deleted``, ``reset`` …)."""

    kind: str
    data: dict[str, Any]


class Cursor:
    """Takes what was received, and says what to ask for next."""

    def __init__(self, token: Token, position: str | None, filters: Mapping[str, Filter]) -> None:
        self.position = position
        self._token = token
        self._filters = {_camel(name): value for name, value in filters.items()}
        self._last_id = ""
        self._seen: dict[str, None] = {}
        self._failures = 0
        self._retry_seconds = 1.0

    def request(self) -> dict[str, Any]:
        """Arguments of httpx for the next connection."""
        token = self._token() if callable(self._token) else self._token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if self.position is not None:
            headers["Last-Event-ID"] = self.position
        self._last_id = ""
        timeout = httpx.Timeout(10.0, read=SILENCE_SECONDS)
        return {"headers": headers, "params": httpx.QueryParams(self._filters), "timeout": timeout}

    def check(self, response: httpx.Response) -> float | None:
        """None for a stream, else the seconds to wait; raises Refused where waiting is of no use."""
        content_type = response.headers.get("content-type", "")
        if response.status_code == 200 and content_type.startswith("text/event-stream"):
            return None
        if response.status_code != 200 and passes(response.status_code):
            return self.pause(retry_after(response.headers))
        raise Refused(response.status_code, "the server does not open the stream")

    def pause(self, asked: float = 0.0) -> float:
        """Seconds to wait before the next connection, after one that failed or ended."""
        self._failures += 1
        return pause(self._failures, asked, self._retry_seconds)

    def take(self, received: ServerSentEvent) -> Event | None:
        """The event for the caller; None for a repeat and for what only moves the position."""
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
