"""Fills what the archive lacks from the log, and drops what the log has dropped; in the background, and unhurried.

What is missing: all that was there before the archive was, what a process of the last release projected, and
everything after ``forget``. Each step locks the projection's row, as the projector does: both write in turn.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.api.archive.keeping import keep_entries
from services.api.archive.partitions import MAX_PLACE, drop_partitions
from services.api.archive.spans import Span, begin_span, extend_span, read_spans, remove_span
from services.api.log.entry import Entry
from services.api.log.event_log import EventLog
from services.api.log.position import GapReason, Position
from services.api.log.stream_consumer import consume_stream
from services.api.projection.projection_position import lock_position
from services.runtime.process.background import run_step

FILL_ENTRIES = 1000
RESTING_RATIO = 3.0
"""Of a rest to the step before it: filling takes a quarter of a processor at most."""
LOOK_SECONDS = 60.0
EXPIRE_SECONDS = 600.0
FIRST_DELIVERY_SECONDS = 5.0

_OLD_LOG = text("""
SELECT log_began_at < now() - interval '7 days' FROM projections WHERE name = 'documents'
""")
_FORGET_SPANS = text("DELETE FROM log_spans")


class ArchiveKeeper:
    """Fills and expires in ``run``, until cancelled; several processes may."""

    def __init__(self, engine: AsyncEngine, event_log: EventLog, rabbitmq_url: str) -> None:
        self._engine = engine
        self._log = event_log
        self._url = rabbitmq_url
        self._expires_at = 0.0
        self._is_full = False

    async def run(self) -> None:
        """Work until cancelled; waits for a broker or a database that is away."""
        await self._log.opened()
        while True:
            began, self._is_full = time.monotonic(), True
            await run_step("archive", self._go_on)
            rest = RESTING_RATIO * (time.monotonic() - began)
            await asyncio.sleep(LOOK_SECONDS if self._is_full else rest)

    async def _go_on(self) -> None:
        if time.monotonic() >= self._expires_at:
            await expire_entries(self._engine, await self._first_kept())
            self._expires_at = time.monotonic() + EXPIRE_SECONDS
        self._is_full = not await fill_next(self._engine, self._log)

    async def _first_kept(self) -> Position | None:
        async with consume_stream(self._url, "first") as deliveries:
            entries = await deliveries.read_within(FIRST_DELIVERY_SECONDS)
        return entries[0].position if entries else None


async def fill_next(engine: AsyncEngine, event_log: EventLog) -> bool:
    """Write the next piece that is missing; False where nothing is."""
    async with engine.begin() as connection:
        locked = await lock_position(connection)
        since = await _missing_since(connection, *locked) if locked else None
    if since is None:
        return False
    piece = await event_log.read(since, FILL_ENTRIES)
    if piece.gap is GapReason.UNKNOWN or not piece.entries:
        return False
    async with engine.begin() as connection:
        locked = await lock_position(connection)
        if locked is None or await _missing_since(connection, *locked) != since:
            return True  # another process was faster, or the log is another one
        await _fill(connection, *locked, since, piece.entries)
    return True


async def expire_entries(engine: AsyncEngine, first_kept: Position | None) -> None:
    """Forget what the log has dropped: its spans at once, and partitions once nothing else is in them."""
    async with engine.begin() as connection:
        locked = await lock_position(connection)
        if locked is None or first_kept is None or first_kept.offset > locked[0].offset:
            return
        base = locked[1]
        kept = base + first_kept.offset
        for span in await read_spans(connection, base):
            if span.first <= kept:
                await remove_span(connection, span)
                if span.reached >= kept:
                    await begin_span(connection, replace(span, first=kept, is_from_beginning=True))
    async with engine.begin() as connection:
        await drop_partitions(connection, base, kept)
        if await connection.scalar(_OLD_LOG):
            await drop_partitions(connection, 0, base)


async def forget(engine: AsyncEngine) -> None:
    """Empty the archive, so that it is built again from the log, in the background by whoever keeps it.

    What it has of a log that was lost stays, since nothing else has it.
    """
    async with engine.begin() as connection:
        locked = await lock_position(connection)
        await connection.execute(_FORGET_SPANS)
        if locked:
            await drop_partitions(connection, locked[1], MAX_PLACE)


async def _missing_since(connection: AsyncConnection, position: Position, base: int) -> Position | None:
    """Return after which position the first missing entry comes; None where all that was projected is there."""
    spans = await read_spans(connection, base)
    if position == Position.start():
        return None
    if not spans or not spans[0].is_from_beginning:
        return Position.start()
    end = spans[0].end(base)
    return end if end.offset < position.offset else None


async def _fill(
    connection: AsyncConnection, position: Position, base: int, since: Position, entries: Sequence[Entry]
) -> None:
    """Write entries that follow ``since`` up to the next span, and join it once nothing is missing between."""
    spans = await read_spans(connection, base)
    later = next((span for span in spans if span.first >= base + since.offset + 1), None)
    end = later.first if later else base + position.offset + 1
    missing = [entry for entry in entries if base + entry.offset < end]
    await keep_entries(connection, base, missing)
    if since == Position.start():
        first = base + entries[0].offset if entries[0].offset > 0 else base
        if not missing:  # the log begins where the span does
            assert later is not None  # noqa: S101 - else all of them were missing
            await remove_span(connection, later)
            await begin_span(connection, replace(later, first=first, is_from_beginning=True))
            return
        last = missing[-1].position
        await begin_span(connection, Span(first, base + last.offset, last.tag, is_from_beginning=True))
    elif missing:
        last = missing[-1].position
        await extend_span(connection, base, since, last)
    else:
        last = since
    if later is not None and len(missing) < len(entries):
        await remove_span(connection, later)
        await extend_span(connection, base, last, later.end(base))
