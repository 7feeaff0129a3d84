"""Documents followed on the event stream until each has reached its end."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any, TypeVar

from pydantic import ValidationError

from cli.api import Api
from cli.events import EventStream, Notice
from cli.failures import CommandFailed, Refused
from cli.journey import Journey
from contracts.events import StatusEvent

EARLY_EVENTS = 10_000
"""Events kept of documents whose upload is not answered yet; their first events may overtake the answer."""

DOUBT_SECONDS = 30.0
"""After so long without news the documents are fetched: the answer to an upload may have been older than
the place where the stream began."""

Moved = Callable[[Journey, dict[str, Any]], None]
Answer = TypeVar("Answer")


class Following:
    """What is known of some documents; ``moved`` hears every event that tells something new of one."""

    def __init__(self, api: Api, stream: EventStream, moved: Moved = lambda _, __: None) -> None:
        self.journeys: dict[str, Journey] = {}
        self._api = api
        self._stream = stream
        self._moved = moved
        self._early: deque[Notice] = deque(maxlen=EARLY_EVENTS)
        self._changed = asyncio.Event()
        self._connected = asyncio.Event()
        self._listener: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Following"]:
        """Listen while the block runs; it is entered once the stream is open. Raises what it raises."""
        self._listener = asyncio.create_task(self._listen())
        try:
            await self._unless_the_stream_fails(self._connected.wait())
            yield self
        finally:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)

    async def add(self, journey: Journey) -> Journey:
        """Follow a document; what the stream told of it before is made up for."""
        if journey.document_id in self.journeys:
            return self.journeys[journey.document_id]
        self.journeys[journey.document_id] = journey
        for notice in [early for early in self._early if early.data["documentId"] == journey.document_id]:
            self._tell(notice)
        if len(self._early) == EARLY_EVENTS:
            await self._fetch(journey)
        return journey

    async def until_done(self, *journeys: Journey) -> None:
        """Wait until these documents (none given: all) are done. Raises what the stream raises."""
        await self._unless_the_stream_fails(self._all_done(journeys))

    async def _all_done(self, journeys: tuple[Journey, ...]) -> None:
        while not all(journey.is_done for journey in journeys or self.journeys.values()):
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), DOUBT_SECONDS)
            except TimeoutError:
                await self._fetch_all()

    async def _unless_the_stream_fails(self, waiting: Coroutine[Any, Any, Answer]) -> None:
        waiter = asyncio.create_task(waiting)
        listener = self._listener or waiter
        try:
            await asyncio.wait({waiter, listener}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiter.cancel()
        if waiter.done():
            waiter.result()
        else:
            listener.result()

    async def _listen(self) -> None:
        async with aclosing(self._stream.__aiter__()) as notices:
            async for notice in notices:
                if notice.kind == "connected":
                    self._connected.set()
                elif notice.kind == "reset":
                    await self._fetch_all()
                elif notice.data.get("documentId") in self.journeys:
                    self._tell(notice)
                elif notice.kind == "document_processing":
                    self._early.append(notice)

    def _tell(self, notice: Notice) -> None:
        journey = self.journeys.get(str(notice.data.get("documentId")))
        if journey is None:
            return
        if notice.kind == "document_deleted":
            journey.deleted = True
        elif notice.kind == "document_processing":
            event = status_event(notice)
            if event is not None and journey.apply(event):
                self._moved(journey, notice.data)
        self._changed.set()

    async def _fetch_all(self) -> None:
        for journey in [each for each in self.journeys.values() if not each.is_done]:
            # A server that is away is the stream's to report, and this is done again.
            with suppress(CommandFailed):
                await self._fetch(journey)

    async def _fetch(self, journey: Journey) -> None:
        try:
            journey.describe(await self._api.document(journey.document_id))
        except Refused as refusal:
            if refusal.status != 404:
                raise
            journey.deleted = True
        self._changed.set()


def status_event(notice: Notice) -> StatusEvent | None:
    """Read the status event; None where the server is newer and says something unknown."""
    try:
        return StatusEvent.model_validate(notice.data)
    except ValidationError:
        return None
