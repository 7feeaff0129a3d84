"""Reads pieces of the log that are older than the ring, once for everybody who is at about the same place."""

import asyncio
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from services.api.log.entry import Entry
from services.api.log.position import GapReason, Position
from services.api.log.stream_consumer import StreamClosed, consume_stream

SLICE_ENTRIES = 1000
"""Entries read at once."""
MAX_READERS = 4
"""Connections for replay at the same time; who waits for one gets it in the order of asking."""
CACHE_BYTES = 32 * 1024 * 1024
FIRST_DELIVERY_SECONDS = 5.0

_offset = attrgetter("offset")


@dataclass(frozen=True, slots=True)
class Slice:
    """Entries that follow a position, and what may be missing before them."""

    entries: Sequence[Entry]
    gap: GapReason | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive entries as the log has them; ``start`` is the offset that was asked for."""

    start: int
    entries: Sequence[Entry]

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return sum(entry.size for entry in self.entries)

    def after(self, position: Position, limit: int) -> Slice | None:
        """Return what follows a position; None where this segment can't tell."""
        if position.offset < 0:
            # The first offset ever is 0: a log that begins later has dropped something.
            gap = GapReason.EXPIRED if self.entries[0].offset > 0 else None
            return Slice(self.entries[:limit], gap) if self.start < 0 else None
        if not self.start <= position.offset <= self.entries[-1].offset:
            return None
        index = bisect_left(self.entries, position.offset, key=_offset)
        found = self.entries[index].position
        if found == position.event:
            following = self.entries[index if position.is_before else index + 1 :][:limit]
            return Slice(following) if following else None
        is_truncated = index == 0 and found.offset > position.offset
        return (
            Slice(self.entries[:limit], GapReason.EXPIRED) if is_truncated else Slice((), GapReason.UNKNOWN)
        )


@dataclass(slots=True)
class HistoryReader:
    """Reads segments of the log, and keeps those read lately."""

    rabbitmq_url: str
    _kept: OrderedDict[int, Segment] = field(default_factory=OrderedDict)
    _bytes: int = 0
    _reading: dict[int, asyncio.Task[Segment]] = field(default_factory=dict)
    _readers: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_READERS))

    async def read(self, after: Position, until: Position, limit: int) -> Slice:
        """Return at most ``limit`` entries after a position that is before ``until``. Raises broker errors.

        ``GapReason.UNKNOWN`` where no event is or was at that position, ``GapReason.EXPIRED`` where entries between
        it and the first one returned are no longer kept.
        """
        if piece := self._find(after, limit):
            return piece
        reading = self._started_near(after) or self._start(after, until)
        # Shielded: others wait for the same segment, and one who leaves must not take it from them.
        segment = await asyncio.shield(reading)
        if piece := segment.after(after, limit):
            return piece
        return (await asyncio.shield(self._start(after, until))).after(after, limit) or Slice(())

    def forget(self) -> None:
        """Drop what was read: the log is another one."""
        self._kept.clear()
        self._bytes = 0

    def _find(self, after: Position, limit: int) -> Slice | None:
        for segment in reversed(self._kept.values()):
            if piece := segment.after(after, limit):
                return piece
        return None

    def _started_near(self, after: Position) -> asyncio.Task[Segment] | None:
        for start, reading in self._reading.items():
            if start == after.offset or 0 <= start < after.offset < start + SLICE_ENTRIES:
                return reading
        return None

    def _start(self, after: Position, until: Position) -> asyncio.Task[Segment]:
        if (reading := self._reading.get(after.offset)) is None:
            reading = asyncio.create_task(self._read(after.offset, until.offset))
            self._reading[after.offset] = reading
            reading.add_done_callback(lambda done: self._ended(after.offset, done))
        return reading

    async def _read(self, start: int, until: int) -> Segment:
        async with self._readers:
            return await read_segment(self.rabbitmq_url, start, until)

    def _ended(self, start: int, reading: asyncio.Task[Segment]) -> None:
        del self._reading[start]
        if reading.cancelled() or reading.exception() is not None:
            return
        segment = reading.result()
        if replaced := self._kept.pop(start, None):
            self._bytes -= replaced.size
        self._kept[start] = segment
        self._bytes += segment.size
        while self._bytes > CACHE_BYTES and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= dropped.size


async def read_segment(rabbitmq_url: str, start: int, until: int) -> Segment:
    """Read about ``SLICE_ENTRIES`` entries from ``start`` on (inclusive), at least to a nearer ``until``."""
    entries: list[Entry] = []
    async with consume_stream(rabbitmq_url, "first" if start < 0 else start) as deliveries:
        while len(entries) <= SLICE_ENTRIES and (not entries or entries[-1].offset < until):
            arrived = await deliveries.read_within(FIRST_DELIVERY_SECONDS)
            if not arrived:
                raise StreamClosed("the log delivers nothing")
            entries += arrived
            await asyncio.sleep(0)  # deliveries that are here already would keep everybody else waiting
    return Segment(start, entries)
