"""Brings a client that is behind the ring to it, piece by piece of the log, at the client's own pace."""

import asyncio
from typing import TYPE_CHECKING

from services.api.log.history import Slice
from services.api.log.position import GapReason, Position
from services.api.stream.batches import MAX_BYTES
from services.api.stream.sse import encode_cursor, encode_reset
from services.api.stream.subscriber import Subscriber
from services.runtime.errors import BROKER_ERRORS
from services.runtime.process.logging import get_logger

if TYPE_CHECKING:
    from services.api.stream.hub import Hub

PAUSE_SECONDS = 0.5

log = get_logger(__name__)


async def catch_up(hub: "Hub", client: Subscriber, position: Position) -> None:
    """Deliver what follows a position until the ring has the rest, then let the client follow the tail.

    While the broker is away the client waits; its heartbeats go on.
    """
    try:
        while not client.closing:
            await client.drained()
            ring = hub.event_log.ring
            cursor = ring.locate(position)
            if isinstance(cursor, int):
                client.task = None
                hub.broadcaster.add(client, ring, cursor)
                return
            position = await _step(hub, client, position)
    except Exception:
        log.exception("a replay met a bug", client_id=client.client_id)
        client.abort()


async def _step(hub: "Hub", client: Subscriber, position: Position) -> Position:
    """Deliver one piece; the position after it."""
    try:
        piece = await hub.event_log.read(position)
    except BROKER_ERRORS as error:
        log.info("replay waits for the broker", client_id=client.client_id, reason=type(error).__name__)
        await asyncio.sleep(PAUSE_SECONDS)
        return position
    if piece.gap is GapReason.UNKNOWN:
        head = hub.event_log.head
        _write(client, encode_reset(piece.gap, head))
        return head
    if not piece.entries:
        await asyncio.sleep(PAUSE_SECONDS)
        return position
    if piece.gap:
        _write(client, encode_reset(piece.gap, piece.entries[0].position.before()))
    await _deliver(client, piece)
    return piece.entries[-1].position


async def _deliver(client: Subscriber, piece: Slice) -> None:
    shows = client.batches.view.shows
    frames: list[bytes] = []
    size, is_shown = 0, False
    for entry in piece.entries:
        is_shown = entry.event is not None and shows(entry.event)
        if is_shown:
            frames.append(entry.frame)
            size += len(entry.frame)
        if size >= MAX_BYTES:
            _write(client, *frames)
            frames, size = [], 0
            await client.drained()
    if not is_shown:
        frames.append(encode_cursor(str(piece.entries[-1].position)))
    _write(client, *frames)


def _write(client: Subscriber, *frames: bytes) -> None:
    if frames and not client.closing:
        client.written_at = asyncio.get_running_loop().time()
        client.write(*frames)
