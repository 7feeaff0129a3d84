"""Brings a subscriber that is behind the ring to it, piece by piece of the log, at the client's own pace."""

import asyncio

from services.api.log.event_log import EventLog
from services.api.log.history import Slice
from services.api.log.position import GapReason, Position
from services.api.stream.batches import MAX_BYTES
from services.api.stream.broadcaster import Broadcaster
from services.api.stream.sse import encode_cursor, encode_entry, encode_reset
from services.api.stream.subscriber import Subscriber
from services.runtime.errors import BROKER_ERRORS
from services.runtime.process.logging import get_logger

PAUSE_SECONDS = 0.5

log = get_logger(__name__)


async def catch_up(
    event_log: EventLog, broadcaster: Broadcaster, subscriber: Subscriber, position: Position
) -> None:
    """Deliver what follows a position until the ring has the rest, then let the subscriber follow the tail.

    While the broker is away the subscriber waits; its heartbeats go on.
    """
    try:
        while not subscriber.closing:
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
    """Deliver one piece; the position after it."""
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
    await _deliver(subscriber, piece)
    return piece.entries[-1].position


async def _deliver(subscriber: Subscriber, piece: Slice) -> None:
    shows = subscriber.batches.view.shows
    frames: list[bytes] = []
    size, is_shown = 0, False
    for entry in piece.entries:
        is_shown = entry.event is not None and shows(entry.event)
        if is_shown:
            frame = entry.encoded(encode_entry)
            frames.append(frame)
            size += len(frame)
        if size >= MAX_BYTES:
            subscriber.write(*frames)
            frames, size = [], 0
            await subscriber.drained()
    if not is_shown and not subscriber.batches.is_total:
        frames.append(encode_cursor(piece.entries[-1].position))
    subscriber.write(*frames)
