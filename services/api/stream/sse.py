"""Server-Sent Events on the wire (WHATWG HTML, section 9.2.5 and 9.2.6). Lines end with LF."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from contracts.events import LogEvent
from contracts.wire import rfc3339
from services.api.log.entry import Entry
from services.api.log.position import GapReason, Position
from services.runtime.process.logging import get_logger

COMMENT = b":\n"
"""Keeps an idle connection alive. Without an empty line: with one, some clients dispatch an empty event."""

RETRY_MS = (1000, 5000)

FRAME_END = b"\n\n"

LAST_CHUNK = b"0\r\n\r\n"

log = get_logger(__name__)


class ReconnectReason(StrEnum):
    """The ``reason`` of a ``reconnect``, for which the server ends a stream; the client comes back by itself."""

    SHUTDOWN = "shutdown"
    LEASE = "lease"
    AUTH = "auth"


def encode_entry(entry: Entry) -> bytes:
    """Encode an entry, for ``Entry.encoded``; never raises, since one bad event must not stop all streams."""
    try:
        return encode_event(entry.event, entry.position) if entry.event is not None else b""
    except ValueError as error:  # of pydantic: it can't be written
        log.warning("event_not_encodable", position=str(entry.position), reason=type(error).__name__)
        return b""


def encode_event(event: LogEvent, position: Position) -> bytes:
    """Encode an event of the log; its position is the id."""
    return f"id: {position}\n".encode() + _encode_frame(event.type, event.to_wire())


def encode_connected(client_id: str, position: Position) -> bytes:
    """Encode ``connected``, and how long the client waits before it comes back: different, against a stampede.

    In one block: from a block of its own some clients make an event without data.
    """
    wait = random.randint(*RETRY_MS)  # noqa: S311 - spreads load, guards nothing
    data = {"clientId": client_id, "serverTime": rfc3339(datetime.now(UTC)), "position": str(position)}
    return f"retry: {wait}\n".encode() + _encode_control("connected", data)


def encode_heartbeat() -> bytes:
    """Encode a ``heartbeat`` of this moment."""
    return _encode_control("heartbeat", {"serverTime": rfc3339(datetime.now(UTC))})


def encode_reconnect(reason: ReconnectReason) -> bytes:
    """Encode the last event before the server ends a stream."""
    return _encode_control("reconnect", {"reason": reason.value})


def encode_reset(gap: GapReason, position: Position) -> bytes:
    """Encode that events may be missing; what follows ``position`` comes next, or to who comes back with it."""
    return _encode_control("reset", {"reason": gap.value, "position": str(position)})


def encode_cursor(position: Position) -> bytes:
    """Encode an id alone: moves the client's cursor past events that it may not or will not see."""
    return f"id: {position}\n\n".encode()


def split_frames(data: bytes, size: int) -> Iterator[bytes]:
    """Split joined frames into pieces of whole frames, each as long as the frame takes that passes ``size``."""
    start = 0
    while start < len(data):
        end = data.find(FRAME_END, start + size)
        end = len(data) if end < 0 else end + len(FRAME_END)
        yield data[start:end]
        start = end


def encode_chunk(*frames: bytes) -> bytes:
    """Join frames to one chunk of HTTP/1.1 (RFC 9112, section 7.1); nothing for nothing, which would be the end."""
    size = sum(map(len, frames))
    return b"".join((b"%x\r\n" % size, *frames, b"\r\n")) if size else b""


def _encode_control(event: str, data: dict[str, Any]) -> bytes:
    """Encode a frame without an id, so that it leaves the client's cursor alone."""
    return _encode_frame(event, json.dumps(data, separators=(",", ":")).encode())


def _encode_frame(event: str, data: bytes) -> bytes:
    """Encode one event; ``data`` is JSON without raw line breaks, which would end the field."""
    return b"event: " + event.encode() + b"\ndata: " + data + b"\n\n"
