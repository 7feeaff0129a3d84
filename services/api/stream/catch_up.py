"""Brings a subscriber that is behind the ring to it, piece by piece of the log, at the client's own pace."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from services.api.archive.archive_reader import ArchiveReader
from services.api.log.conflation import LAG_ENTRIES, conflated
from services.api.log.entry import Entry
from services.api.log.event_log import EventLog
from services.api.log.history import Slice
from services.api.log.position import GapReason, Position
from services.api.stream.batches import MAX_BYTES, Batches
from services.api.stream.broadcaster import Broadcaster
from services.api.stream.sse import encode_cursor, encode_entry, encode_reset, split_frames
from services.api.stream.subscriber import Subscriber
from services.runtime.errors import BROKER_ERRORS
from services.runtime.process.logging import get_logger

PAUSE_SECONDS = 0.5

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Way:
    """From far back to the tail: the archive, where it has what follows, else the log itself, then the ring."""

    event_log: EventLog
    archive: ArchiveReader | None
    broadcaster: Broadcaster


async def catch_up(
    way: Way, subscriber: Subscriber, position: Position, newest: Sequence[bytes] = ()
) -> None:
    """Deliver what follows a position until the ring has the rest, then let the subscriber follow the tail.

    ``newest`` are the frames of the snapshot at the position, which come before. While the broker is away the
    subscriber waits for what the archive has not; its heartbeats go on.
    """
    try:
        if newest:
            await _write_in_slices(subscriber, chain(newest, [encode_cursor(position)]))
        lags_until = -1
        while not subscriber.is_closing:
            await subscriber.drained()
            ring = way.event_log.ring
            cursor = ring.locate(position)
            if isinstance(cursor, int):
                way.broadcaster.add(subscriber, ring, cursor, is_lagging=position.offset < lags_until)
                return
            if ring.head.offset - position.offset > LAG_ENTRIES:
                lags_until = ring.head.offset
            is_lagging = position.offset < lags_until
            reached = await _step_in_archive(way, subscriber, position, is_lagging=is_lagging)
            position = reached or await _step(way.event_log, subscriber, position, is_lagging=is_lagging)
    except Exception:
        log.exception("catch_up_failed", client_id=subscriber.client_id)
        subscriber.abort()


async def _step_in_archive(
    way: Way, subscriber: Subscriber, position: Position, *, is_lagging: bool
) -> Position | None:
    """Deliver a stretch of the archive, and return the position after it; None where it does not help."""
    view = subscriber.batches.view
    stretch = await way.archive.read(view, position, is_lagging=is_lagging) if way.archive else None
    if stretch is None:
        return None
    if stretch.gap:
        subscriber.write(encode_reset(stretch.gap, stretch.begin))
    cursor = b"" if stretch.has_cursor or view.is_total else encode_cursor(stretch.reached)
    await _write_in_slices(subscriber, chain(split_frames(stretch.data, MAX_BYTES), [cursor]))
    return stretch.reached


async def _step(
    event_log: EventLog, subscriber: Subscriber, position: Position, *, is_lagging: bool
) -> Position:
    """Deliver one piece of the log, and return the position after it."""
    try:
        piece = await event_log.read(position)
    except BROKER_ERRORS as error:
        log.info("catch_up_waits", client_id=subscriber.client_id, reason=type(error).__name__)
        await asyncio.sleep(PAUSE_SECONDS)
        return position
    if piece.gap is GapReason.UNKNOWN:
        head = event_log.head
        subscriber.write(encode_reset(piece.gap, head))
        return head
    if not piece.entries:
        await asyncio.sleep(PAUSE_SECONDS)
        return position
    if piece.gap:
        subscriber.write(encode_reset(piece.gap, piece.entries[0].position.before()))
    await _write_in_slices(subscriber, _frames_of(piece, subscriber.batches, is_lagging=is_lagging))
    return piece.entries[-1].position


def _frames_of(piece: Slice, batches: Batches, *, is_lagging: bool) -> Iterator[bytes]:
    view, end = batches.view, piece.entries[-1]
    shown: Sequence[Entry] = ()
    if is_lagging and not view.every_step:
        shown = conflated(piece.entries, view.shows)
    else:
        shown = [entry for entry in piece.entries if entry.event is not None and view.shows(entry.event)]
    for entry in shown:
        yield entry.encoded(encode_entry)
    if not batches.is_total and (not shown or shown[-1] is not end):
        yield encode_cursor(end.position)


async def _write_in_slices(subscriber: Subscriber, frames: Iterable[bytes]) -> None:
    """Write no more than ``MAX_BYTES`` and a frame before the client has taken what was written."""
    gathered: list[bytes] = []
    size = 0
    for frame in frames:
        gathered.append(frame)
        size += len(frame)
        if size >= MAX_BYTES:
            subscriber.write(*gathered)
            gathered, size = [], 0
            await subscriber.drained()
    subscriber.write(*gathered)
