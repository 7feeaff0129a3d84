"""The log of events, as this process sees it: one consumer feeds the ring, everybody follows the ring.

What is older than the ring is read from the stream on a short-lived connection of its own, a bounded piece at a
time, so that a slow reader holds neither a connection nor the tail back.
"""

import asyncio
from collections.abc import Callable, Sequence

from services.api.events.entry import Entry
from services.api.events.position import Position
from services.api.events.replay import Gap, Piece, replay
from services.api.events.ring import Ring
from services.api.events.stream_queue import consume_stream, mark_log
from services.runtime.availability import BROKER_ERRORS
from services.runtime.logs import get_logger

PIECE = 1000
"""Entries handed out at once."""
MAX_REPLAYS = 8
"""Connections for replay at the same time."""
PAUSE_SECONDS = 0.3
FIRST_DELIVERY_SECONDS = 5.0
CATCH_UP_SECONDS = 2.0

log = get_logger(__name__)


class EventLog:
    """Follow with ``head``, ``read`` and ``wait``; ``run`` keeps the ring fed until it is cancelled."""

    def __init__(self, rabbitmq_url: str) -> None:
        self._url = rabbitmq_url
        self._ring: Ring | None = None
        self.is_draining = False
        self._opened = asyncio.Event()
        self._attached = asyncio.Event()
        self._grown = asyncio.Condition()
        self._replays = asyncio.Semaphore(MAX_REPLAYS)

    @property
    def head(self) -> Position:
        """The newest position that this process has seen."""
        return self._live_ring.head

    @property
    def _live_ring(self) -> Ring:
        if self._ring is None:
            raise RuntimeError("the log was not opened yet")
        return self._ring

    async def run(self) -> None:
        """Feed the ring for ever, and attach again when the broker comes back."""
        while True:
            try:
                await self._feed()
            except BROKER_ERRORS as error:
                log.info("waiting for the log", reason=str(error) or type(error).__name__)
                await asyncio.sleep(PAUSE_SECONDS)

    async def opened(self) -> None:
        """Wait until the end of the log is known."""
        await self._opened.wait()

    async def read(self, after: Position, limit: int = PIECE) -> Piece:
        """At most ``limit`` entries after a position; empty at the head. Raises broker errors for old ones.

        ``Gap.UNKNOWN`` where no event is or was at that position, ``Gap.EXPIRED`` where entries between it and
        the first one returned are no longer kept.
        """
        await self._catch_up(after)
        ring = self._live_ring
        known = ring.knows(after)
        if known:
            return Piece(ring.after(after.offset, limit))
        if known is False:
            return Piece((), Gap.UNKNOWN)
        async with self._replays:
            return await replay(self._url, after, ring.head, limit)

    async def wait(self, after: Position, seconds: float) -> bool:
        """Wait until the head is no longer at a position; False when ``seconds`` pass first."""
        return await self._until(lambda: self._live_ring.head != after, seconds)

    async def wait_or_drain(self, after: Position, seconds: float) -> bool:
        """``wait`` for clients: True also when the process drains, which others who follow do not care for."""
        return await self._until(lambda: self.is_draining or self._live_ring.head != after, seconds)

    async def drain(self) -> None:
        """Wake everybody who waits, so that streams end before the server waits for them."""
        self.is_draining = True
        async with self._grown:
            self._grown.notify_all()

    async def _catch_up(self, position: Position) -> None:
        """Let a replica that is a little behind the one that gave out an id come to it."""
        if position.offset > self._live_ring.head.offset:
            await self._attached.wait()
            await self._until(lambda: self._live_ring.head.offset >= position.offset, CATCH_UP_SECONDS)

    async def _until(self, condition: Callable[[], bool], seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds), self._grown:
                await self._grown.wait_for(condition)
        except TimeoutError:
            return False
        return True

    async def _feed(self) -> None:
        if self._ring is None:
            await self._open()
        head = self._live_ring.head
        async with consume_stream(self._url, max(head.offset, 0)) as deliveries:
            first = await deliveries.read_within(FIRST_DELIVERY_SECONDS)
            if not first or first[0].position != head:
                log.warning("the log was truncated or made anew", position=str(head))
                await self._open()
                return
            self._attached.set()
            try:
                await self._append(first)
                while True:
                    await self._append(await deliveries.read())
            finally:
                self._attached.clear()

    async def _open(self) -> None:
        """Find the end of the log by putting a marker there: an empty stream and a slow one look alike."""
        marker = await mark_log(self._url)
        async with consume_stream(self._url, "last") as deliveries, asyncio.timeout(FIRST_DELIVERY_SECONDS):
            entries = await deliveries.read()
            while not any(entry.position.names(marker) for entry in entries):
                entries += await deliveries.read()
        self._ring = Ring(entries[0].position)
        await self._append(entries[1:])
        self._opened.set()

    async def _append(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self._live_ring.append(entry)
        async with self._grown:
            self._grown.notify_all()
