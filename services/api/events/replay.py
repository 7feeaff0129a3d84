"""Reads a piece of the log that is older than the ring."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.api.events.entry import Entry
from services.api.events.position import Position
from services.api.events.stream_queue import StreamClosed, consume_stream

FIRST_DELIVERY_SECONDS = 5.0


class Gap(StrEnum):
    """Why a position can't be continued from; the ``reason`` of a ``reset``."""

    EXPIRED = "expired"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Piece:
    """Entries that follow a position, and what may be missing before them."""

    entries: Sequence[Entry]
    gap: Gap | None = None


async def replay(rabbitmq_url: str, after: Position, until: Position, limit: int) -> Piece:
    """At most ``limit`` entries after a position, up to ``until``, which must be an event's.

    Consumes from the position on, inclusive, and so sees whether its event is still there. Raises broker errors.
    """
    entries: list[Entry] = []
    async with consume_stream(rabbitmq_url, "first" if after.offset < 0 else after.offset) as deliveries:
        while len(entries) <= limit and (not entries or entries[-1].offset < until.offset):
            arrived = await deliveries.read_within(FIRST_DELIVERY_SECONDS)
            if not arrived:
                raise StreamClosed("the log delivers nothing")
            entries += arrived
    return _following(after, entries, limit)


def _following(after: Position, entries: list[Entry], limit: int) -> Piece:
    first = entries[0].position
    if first.offset > after.offset + (1 if after.offset < 0 else 0):
        return Piece(entries[:limit], Gap.EXPIRED)
    if after.offset < 0:
        return Piece(entries[:limit])
    return Piece(entries[1 : limit + 1]) if first == after else Piece((), Gap.UNKNOWN)
