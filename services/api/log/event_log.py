"""The log of events, as this process sees it: one consumer feeds the ring, everybody follows the ring.

What is older than the ring, and not in the archive, is read from the stream on a short-lived connection of its own,
a bounded piece at a time, so that a slow reader holds neither a connection nor the tail back.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Protocol

from services.api.log.entry import Entry
from services.api.log.history import SLICE_ENTRIES, HistoryReader, Slice
from services.api.log.position import GapReason, Position
from services.api.log.ring import Ring
from services.api.log.stream_consumer import append_marker, consume_stream
from services.runtime.errors import BROKER_ERRORS
from services.runtime.process.logging import get_logger

PREFILL = 2000
"""Entries before the end that a new ring begins with: those who come back after a restart are near the end."""
PAUSE_SECONDS = 0.3
LONGEST_PAUSE_SECONDS = 2.0
FIRST_DELIVERY_SECONDS = 5.0
ATTACH_SECONDS = 2.0
"""Where the log delivers nothing from the newest entry on for so long, its end is looked for: it may be anew."""
FIND_SECONDS = 45.0
CATCH_UP_SECONDS = 2.0

log = get_logger(__name__)


class LogListener(Protocol):
    """Hears of changes of the log, between two turns of the event loop."""

    def log_grew(self) -> None:
        """The ring has new entries."""

    def log_was_replaced(self, old: Ring) -> None:
        """The ring is another one, and its cursors mean nothing in it; ``old`` still tells their positions."""


class EventLog:
    """The log, to be read from any position on and waited for, while ``run`` feeds its ring."""

    def __init__(self, rabbitmq_url: str) -> None:
        self._url = rabbitmq_url
        self._ring: Ring | None = None
        self._history = HistoryReader(rabbitmq_url)
        self._opened = asyncio.Event()
        self._attached = asyncio.Event()
        self._pause = PAUSE_SECONDS
        self._waiting: set[asyncio.Future[None]] = set()
        self._listeners: list[LogListener] = []

    @property
    def head(self) -> Position:
        """The newest position that this process has seen."""
        return self.ring.head

    @property
    def ring(self) -> Ring:
        """The newest part of the log."""
        if self._ring is None:
            raise RuntimeError("the log was not opened yet")
        return self._ring

    def listen(self, listener: LogListener) -> None:
        """Tell a listener whenever the log grows."""
        self._listeners.append(listener)

    async def run(self) -> None:
        """Feed the ring for ever, and attach again when the broker comes back."""
        while True:
            try:
                await self._feed()
            except BROKER_ERRORS as error:
                log.info("log_unavailable", reason=str(error) or type(error).__name__)
            # Not at one pace for ever: who is reset at once by all that it asks would ask three times a second.
            await asyncio.sleep(self._pause * random.uniform(0.5, 1))  # noqa: S311 - nobody gains by guessing it
            self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)

    async def opened(self) -> None:
        """Wait until the end of the log is known."""
        await self._opened.wait()

    async def check(self) -> str | None:
        """Return why the log can't be read just now, or None, as a check of readiness."""
        return None if self._attached.is_set() else "can't be read just now"

    async def read(self, after: Position, limit: int = SLICE_ENTRIES) -> Slice:
        """Return at most ``limit`` entries after a position; none at the head. Raises broker errors for old ones.

        ``GapReason.UNKNOWN`` where no event is or was at that position, or this process has not read so far;
        ``GapReason.EXPIRED`` where entries between it and the first one returned are no longer kept.
        """
        await self._catch_up(after)
        ring = self.ring
        cursor = ring.locate(after)
        if isinstance(cursor, GapReason):
            return Slice((), cursor)
        if cursor is not None:
            return Slice(ring.entries(cursor, limit))
        return await self._history.read(after, ring.head, limit)

    async def wait(self, after: Position, seconds: float) -> bool:
        """Wait until the head is no longer at a position; False when ``seconds`` pass first."""
        return await self._until(lambda: self.head != after, seconds)

    async def ends_before(self, position: Position) -> bool:
        """Return whether the log itself, and not only what this process read of it, ends before a position."""
        return (await self._find_end()).offset < position.offset

    async def _catch_up(self, position: Position) -> None:
        """Wait a moment for an id that another replica, which is a little ahead, gave out."""
        if position.offset > self.head.offset:
            await self._attached.wait()
            await self._until(lambda: self.head.offset >= position.offset, CATCH_UP_SECONDS)

    async def _until(self, condition: Callable[[], bool], seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    await self._growth()
        except TimeoutError:
            return False
        return True

    async def _growth(self) -> None:
        grown = asyncio.get_running_loop().create_future()
        self._waiting.add(grown)
        try:
            await grown
        finally:
            self._waiting.discard(grown)

    async def _feed(self) -> None:
        if self._ring is None:
            await self._open()
        head = self.head
        async with consume_stream(self._url, max(head.offset, 0)) as deliveries:
            first = await deliveries.read_within(ATTACH_SECONDS)
            if not first:
                await self._open_if_made_anew(head)
                return
            if first[0].position != head:
                log.warning("log_replaced", position=str(head), first=str(first[0].position))
                await self._open()
                return
            self._append(first)
            self._attached.set()
            self._pause = PAUSE_SECONDS
            try:
                while True:
                    self._append(await deliveries.read())
            finally:
                self._attached.clear()

    async def _open_if_made_anew(self, head: Position) -> None:
        """Open the log again if it is shorter than it was; a slow broker too delivers nothing from the head on."""
        end = await self._find_end()
        if end.offset <= head.offset:
            log.warning("log_recreated", position=str(head), end=str(end))
            await self._open()

    async def _open(self) -> None:
        """Begin a ring at the end of the log."""
        end = await self._find_end()
        async with consume_stream(self._url, max(0, end.offset - PREFILL)) as deliveries:
            entries: list[Entry] = []
            while not entries or entries[-1].offset < end.offset:
                arrived = await deliveries.read_within(FIRST_DELIVERY_SECONDS)
                if not arrived:
                    raise TimeoutError("the log delivers nothing")
                entries += arrived
        self._replace(Ring(entries[0].position))
        self._append(entries[1:])
        self._opened.set()
        self._pause = PAUSE_SECONDS  # it is there: readers of the log that was lost wait for the next attach

    async def _find_end(self) -> Position:
        """Find the end by putting a marker there: an empty stream and a slow one look alike.

        The consumer is there first: others publish too, and the marker would no longer be in the last chunk.
        """
        async with consume_stream(self._url, "last") as deliveries, asyncio.timeout(FIND_SECONDS):
            marker = await append_marker(self._url)
            while True:
                for entry in await deliveries.read():
                    if entry.position.names(marker):
                        return entry.position

    def _replace(self, ring: Ring) -> None:
        old, self._ring = self._ring, ring
        self._history.forget()
        if old is not None:
            for listener in self._listeners:
                listener.log_was_replaced(old)

    def _append(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self.ring.append(entry)
        for listener in self._listeners:
            listener.log_grew()
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
