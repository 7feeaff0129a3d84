"""The event stream, as one sequence that no lost connection interrupts.

After a cut it comes back with the id of the last event it had, so nothing is missed; what is sent twice is
dropped by its ``eventId``.
"""

import asyncio
import json
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import httpx
from httpx_sse import EventSource, ServerSentEvent, SSEError, aconnect_sse

from cli.api import Api, reaching
from cli.failures import CommandFailed, Refused, refuse_errors

EVENTS = "/api/v1/events"

SILENCE_SECONDS = 60.0
"""A connection without a byte for so long is dead: the server sends a comment every 15 s."""

FIRST_RETRY_SECONDS = 2.0
LONGEST_RETRY_SECONDS = 30.0

REMEMBERED_EVENTS = 10_000

_JITTER = random.SystemRandom()


@dataclass(frozen=True)
class Event:
    """One event of the stream: ``kind`` is its name, ``data`` its JSON object."""

    kind: str
    data: dict[str, Any]


Lost = Callable[[float, CommandFailed | None], None]


class EventStream:
    """Iterate over it to get every Event, for ever; ``documents`` limits it to some.

    Raises Unreachable or Refused when it never got through, or when the server says that trying again is
    of no use (a 4xx such as 401). ``on_lost`` hears of each cut: the seconds until it tries again, and why.
    """

    def __init__(self, api: Api, documents: Sequence[str] = (), on_lost: Lost = lambda _, __: None) -> None:
        self.position: str | None = None
        self._api = api
        self._parameters = httpx.QueryParams({"documentId": tuple(documents)})
        self._on_lost = on_lost
        self._retry = FIRST_RETRY_SECONDS
        self._failures = 0
        self._connected = False
        self._last_id = ""
        self._seen: dict[str, None] = {}

    async def __aiter__(self) -> AsyncGenerator[Event]:
        while True:
            failure: CommandFailed | None = None
            try:
                async with aclosing(self._one_connection()) as notices:
                    async for notice in notices:
                        yield notice
            except CommandFailed as error:
                if not self._connected or (isinstance(error, Refused) and not error.passes):
                    raise
                failure = error
            delay = self._delay(failure)
            self._on_lost(delay, failure)
            await asyncio.sleep(delay)
            self._failures += 1

    async def _one_connection(self) -> AsyncGenerator[Event]:
        headers = {"Last-Event-ID": self.position} if self.position is not None else {}
        timeout = httpx.Timeout(10.0, read=SILENCE_SECONDS)
        self._last_id = ""
        async with (
            reaching(self._api.url),
            aconnect_sse(
                self._api.http, "GET", EVENTS, headers=headers, params=self._parameters, timeout=timeout
            ) as source,
        ):
            await refuse_errors(source.response)
            async for received in _events_of(source):
                notice = self._take(received)
                if notice is not None:
                    yield notice

    def _take(self, received: ServerSentEvent) -> Event | None:
        if received.retry is not None:
            self._retry = min(max(received.retry, 1) / 1000, LONGEST_RETRY_SECONDS)
        # The decoder repeats the last id on frames that carry none; only a new one moves the cursor.
        if received.id != self._last_id:
            self._last_id = self.position = received.id
        notice = _read(received)
        if notice is None or self._is_repeated(notice):
            return None
        self._note(notice)
        return notice

    def _note(self, notice: Event) -> None:
        position = notice.data.get("position")
        if notice.kind == "connected":
            self._connected, self._failures = True, 0
        if isinstance(position, str) and (notice.kind == "reset" or self.position is None):
            self.position = position

    def _is_repeated(self, notice: Event) -> bool:
        event_id = notice.data.get("eventId")
        if notice.kind != "document_processing" or not isinstance(event_id, str):
            return False
        if event_id in self._seen:
            return True
        self._seen[event_id] = None
        if len(self._seen) > REMEMBERED_EVENTS:
            del self._seen[next(iter(self._seen))]
        return False

    def _delay(self, failure: CommandFailed | None) -> float:
        grown = min(self._retry * float(2 ** min(self._failures, 10)), LONGEST_RETRY_SECONDS)
        asked = failure.retry_after if isinstance(failure, Refused) else None
        # After a restart of the server its clients should not all come back in the same instant.
        return max(grown * _JITTER.uniform(0.8, 1.2), asked or 0.0)


async def _events_of(source: EventSource) -> AsyncIterator[ServerSentEvent]:
    try:
        async for received in source.aiter_sse():
            yield received
    except SSEError as error:
        raise Refused(
            source.response.status_code, "The server did not answer with an event stream"
        ) from error


def _read(received: ServerSentEvent) -> Event | None:
    """None for a frame without data (one that only moves the cursor), or with data that is no object."""
    try:
        data = json.loads(received.data)
    except ValueError:
        return None
    return Event(received.event, data) if isinstance(data, dict) else None
