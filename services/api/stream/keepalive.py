"""Signs of life on a stream: heartbeats for pages, comments for the proxies between, and when they are due."""

from services.api.stream.sse import COMMENT
from services.api.stream.subscriber import Subscriber

COMMENT_SECONDS = 15.0
CURSOR_SECONDS = 5.0
"""How far the id of a client whose events are filtered away may lag behind."""


def next_due(client: Subscriber, now: float) -> float:
    """When a client is to be looked at next, on the loop's clock."""
    if client.paused:
        return now + CURSOR_SECONDS
    at = min(client.heartbeat_at, client.last_written_at() + COMMENT_SECONDS, client.lease_until)
    if client.expires_at is not None:
        at = min(at, client.expires_at)
    return at if client.batches.is_total else min(at, now + CURSOR_SECONDS)


def keepalive_frame(client: Subscriber, now: float, heartbeat: bytes, interval: float) -> bytes:
    """The heartbeat when due, and again after ``interval`` seconds; else a comment on an idle stream, if any."""
    if now >= client.heartbeat_at:
        # From when it was due, or each would come a little later than it should.
        missed = now - client.heartbeat_at >= interval
        client.heartbeat_at = (now if missed else client.heartbeat_at) + interval
        return heartbeat
    return COMMENT if now - client.last_written_at() >= COMMENT_SECONDS else b""
