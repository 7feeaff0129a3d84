"""Server-Sent Events on the wire (WHATWG HTML, section 9.2.5 and 9.2.6). Lines end with LF."""

import json
import random
from typing import Any

from services.api.log.position import GapReason, Position

COMMENT = b":\n"
"""Keeps an idle connection alive. Without an empty line: with one, some clients dispatch an empty event."""

RETRY_MS = (1000, 5000)

LAST_CHUNK = b"0\r\n\r\n"


def encode_frame(event: str, data: bytes, event_id: str | None = None) -> bytes:
    """One event; ``data`` is JSON without raw line breaks, which would end the field."""
    head = f"id: {event_id}\nevent: {event}\n" if event_id else f"event: {event}\n"
    return head.encode() + b"data: " + data + b"\n\n"


def encode_control(event: str, **fields: Any) -> bytes:
    """A frame without an id, so that it leaves the client's cursor alone."""
    return encode_frame(event, json.dumps(fields, separators=(",", ":")).encode())


def encode_cursor(event_id: str) -> bytes:
    """A frame with an id alone: moves the client's cursor past events that it may not or will not see."""
    return f"id: {event_id}\n\n".encode()


def encode_reset(gap: GapReason, position: Position) -> bytes:
    """Events may be missing; what follows ``position`` follows here, or is to be had by coming back with it."""
    return encode_control("reset", reason=gap.value, position=str(position))


def encode_retry() -> bytes:
    """How long the client waits before it comes back: different for each, against a stampede."""
    return f"retry: {random.randint(*RETRY_MS)}\n\n".encode()  # noqa: S311 - spreads load, guards nothing


def encode_chunk(*frames: bytes) -> bytes:
    """Frames as one chunk of HTTP/1.1 (RFC 9112, section 7.1); nothing for nothing, which would be the end."""
    size = sum(map(len, frames))
    return b"".join((b"%x\r\n" % size, *frames, b"\r\n")) if size else b""
