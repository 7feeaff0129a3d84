"""Server-Sent Events on the wire (WHATWG HTML, section 9.2.5 and 9.2.6). Lines end with LF."""

import json
import random
from typing import Any

COMMENT = b":\n"
"""Keeps an idle connection alive. Without an empty line: with one, some clients dispatch an empty event."""

RETRY_MS = (1000, 5000)


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


def encode_retry() -> bytes:
    """How long the client waits before it comes back: different for each, against a stampede."""
    return f"retry: {random.randint(*RETRY_MS)}\n\n".encode()  # noqa: S311 - spreads load, guards nothing
