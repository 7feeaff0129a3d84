"""Server-Sent Events on the wire (WHATWG HTML, section 9.2.5 and 9.2.6). Lines end with LF."""

import json
import random
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from contracts.wire import rfc3339
from services.api.log.position import GapReason, Position

COMMENT = b":\n"
"""Keeps an idle connection alive. Without an empty line: with one, some clients dispatch an empty event."""

RETRY_MS = (1000, 5000)

LAST_CHUNK = b"0\r\n\r\n"


class ReconnectReason(StrEnum):
    """Why the server ends a stream, the ``reason`` of a ``reconnect``; the client comes back by itself."""

    SHUTDOWN = "shutdown"
    LEASE = "lease"
    AUTH = "auth"


def encode_frame(event: str, data: bytes, event_id: str | None = None) -> bytes:
    """Encode one event; ``data`` is JSON without raw line breaks, which would end the field."""
    head = f"id: {event_id}\nevent: {event}\n" if event_id else f"event: {event}\n"
    return head.encode() + b"data: " + data + b"\n\n"


def encode_connected(client_id: str, position: Position) -> bytes:
    """Encode ``connected``, and how long the client waits before it comes back: different, against a stampede."""
    wait = random.randint(*RETRY_MS)  # noqa: S311 - spreads load, guards nothing
    told = {"clientId": client_id, "serverTime": rfc3339(datetime.now(UTC)), "position": str(position)}
    return f"retry: {wait}\n\n".encode() + _encode_control("connected", told)


def encode_heartbeat() -> bytes:
    """Encode a ``heartbeat`` of this moment."""
    return _encode_control("heartbeat", {"serverTime": rfc3339(datetime.now(UTC))})


def encode_reconnect(reason: ReconnectReason) -> bytes:
    """Encode the last event before the server ends a stream."""
    return _encode_control("reconnect", {"reason": reason.value})


def encode_reset(gap: GapReason, position: Position) -> bytes:
    """Events may be missing; what follows ``position`` follows here, or is to be had by coming back with it."""
    return _encode_control("reset", {"reason": gap.value, "position": str(position)})


def encode_cursor(position: Position) -> bytes:
    """Encode an id alone: moves the client's cursor past events that it may not or will not see."""
    return f"id: {position}\n\n".encode()


def encode_chunk(*frames: bytes) -> bytes:
    """Frames as one chunk of HTTP/1.1 (RFC 9112, section 7.1); nothing for nothing, which would be the end."""
    size = sum(map(len, frames))
    return b"".join((b"%x\r\n" % size, *frames, b"\r\n")) if size else b""


def _encode_control(event: str, data: dict[str, Any]) -> bytes:
    """Encode a frame without an id, so that it leaves the client's cursor alone."""
    return encode_frame(event, json.dumps(data, separators=(",", ":")).encode())
