"""Brings a subscriber that is behind the ring to it, piece by piece of the log, at the client's own pace."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from services.api.log.conflation import LAG_ENTRIES, conflated
from services.api.log.entry import Entry
from services.api.log.event_log import EventLog
from services.api.log.history import Slice
from services.api.log.position import GapReason, Position
from services.api.stream.batches import MAX_BYTES, Batches
from services.api.stream.broadcaster import Broadcaster
from services.api.stream.sse import encode_cursor, encode_entry, encode_reset
from services.api.stream.subscriber import Subscriber
from services.runtime.errors import BROKER_ERRORS
from services.runtime.process.logging import get_logger

PAUSE_SECONDS = 0.5

log = get_logger(__name__)


async def catch_up(
    event_log: EventLog,
    broadcaster: Broadcaster,
    subscriber: Subscriber,
    position: Position,
    newest: Sequence[bytes] = (),
) -> None:
    """Deliver what follows a position until the ring has the rest, then let the subscriber follow the tail.

    ``newest`` are the frames of the snapshot at the position, which come before. While the broker is away the
    subscriber waits; its heartbeats go on.
    """
    try:
        if newest:
            await _write_in_slices(subscriber, chain(newest, [encode_cursor(position)]))
        while not subscriber.is_closing:
            await subscriber.drained()
            ring = event_log.ring
            cursor = ring.locate(position)
            if isinstance(cursor, int):
                broadcaster.add(subscriber, ring, cursor)
                return
            position = await _step(event_log, subscriber, position)
    except Exception:
        log.exception("catch_up_failed", client_id=subscriber.client_id)
        subscriber.abort()


async def _step(event_log: EventLog, subscriber: Subscriber, position: Position) -> Position:
    """Deliver one piece, and return the position after it."""
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
    is_lagging = event_log.head.offset - position.offset > LAG_ENTRIES
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
