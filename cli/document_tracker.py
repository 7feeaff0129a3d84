"""Documents followed on the event stream until each has reached its end."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any

from pydantic import ValidationError

from cli.api import Api
from cli.document_progress import DocumentProgress
from contracts.events import StatusEvent
from stagecast_client import Event, Refused, StagecastError
from stagecast_client.cursor import OnLost

EARLY_EVENTS = 10_000
"""Events kept of documents whose upload is not answered yet; their first events may overtake the answer."""

DOUBT_SECONDS = 30.0
"""After so long without news the documents are fetched: the answer to an upload may have been older than
the place where the stream began."""

Moved = Callable[[DocumentProgress, dict[str, Any]], None]


class DocumentTracker:
    """The progress of some documents; ``moved`` hears every event that tells something new of one."""

    def __init__(
        self, api: Api, moved: Moved = lambda _, __: None, on_lost: OnLost = lambda _, __: None
    ) -> None:
        self.progresses: dict[str, DocumentProgress] = {}
        self._api = api
        self._stream = api.events(on_lost=on_lost)
        self._moved = moved
        self._early: deque[Event] = deque(maxlen=EARLY_EVENTS)
        self._changed = asyncio.Event()
        self._connected = asyncio.Event()
        self._listener: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["DocumentTracker"]:
        """Listen while the block runs; it is entered once the stream is open. Raises what it raises."""
        self._listener = asyncio.create_task(self._listen())
        try:
            await self._unless_the_stream_fails(self._connected.wait())
            yield self
        finally:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)

    async def add(self, progress: DocumentProgress) -> DocumentProgress:
        """Follow a document; what the stream told of it before is made up for."""
        if progress.document_id in self.progresses:
            return self.progresses[progress.document_id]
        self.progresses[progress.document_id] = progress
        for event in [early for early in self._early if early.data["documentId"] == progress.document_id]:
            self._tell(event)
        if len(self._early) == EARLY_EVENTS:
            await self._fetch(progress)
        return progress

    async def until_done(self, *progresses: DocumentProgress) -> None:
        """Wait until these documents (none given: all) are done. Raises what the stream raises."""
        await self._unless_the_stream_fails(self._all_done(progresses))

    async def _all_done(self, progresses: tuple[DocumentProgress, ...]) -> None:
        while not all(progress.is_done for progress in progresses or self.progresses.values()):
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), DOUBT_SECONDS)
            except TimeoutError:
                await self._fetch_all()

    async def _unless_the_stream_fails(self, waiting: Coroutine[Any, Any, object]) -> None:
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
        async with aclosing(self._stream.__aiter__()) as events:
            async for event in events:
                if event.kind == "connected":
                    self._connected.set()
                elif event.kind == "reset":
                    await self._fetch_all()
                elif event.data.get("documentId") in self.progresses:
                    self._tell(event)
                elif event.kind == "document_processing":
                    self._early.append(event)

    def _tell(self, event: Event) -> None:
        progress = self.progresses.get(str(event.data.get("documentId")))
        if progress is None:
            return
        if event.kind == "document_deleted":
            progress.deleted = True
        elif event.kind == "document_processing":
            status = status_event(event)
            if status is not None and progress.apply(status):
                self._moved(progress, event.data)
        self._changed.set()

    async def _fetch_all(self) -> None:
        for progress in [each for each in self.progresses.values() if not each.is_done]:
            # A server that is away is the stream's to report, and this is done again.
            with suppress(StagecastError):
                await self._fetch(progress)

    async def _fetch(self, progress: DocumentProgress) -> None:
        try:
            progress.describe(await self._api.document(progress.document_id))
        except Refused as refusal:
            if refusal.status != 404:
                raise
            progress.deleted = True
        self._changed.set()


def status_event(event: Event) -> StatusEvent | None:
    """Read the status event; None where the server is newer and says something unknown."""
    try:
        return StatusEvent.model_validate(event.data)
    except ValidationError:
        return None
