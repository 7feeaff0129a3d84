"""Signs of life on an idle connection: comments for proxies, heartbeats that a page can see."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from contracts.wire import rfc3339
from services.api.events.frames import COMMENT, encode_control

COMMENT_SECONDS = 15.0


@dataclass
class Timers:
    """When an idle connection next gets a sign of life."""

    heartbeat_seconds: float
    heartbeat_at: float = field(init=False)
    comment_at: float = field(init=False)

    def __post_init__(self) -> None:
        self.heartbeat_at = time.monotonic() + self.heartbeat_seconds
        self.comment_at = time.monotonic() + COMMENT_SECONDS

    def seconds_left(self) -> float:
        """Until the next of them is due."""
        return max(0.0, min(self.heartbeat_at, self.comment_at) - time.monotonic())

    def was_written(self) -> None:
        """Something else went out: no comment is needed for a while."""
        self.comment_at = time.monotonic() + COMMENT_SECONDS

    def due(self) -> bytes:
        """What to send now, if anything."""
        now = time.monotonic()
        if now >= self.heartbeat_at:
            self.heartbeat_at = now + self.heartbeat_seconds
            self.comment_at = now + COMMENT_SECONDS
            return encode_control("heartbeat", serverTime=rfc3339(datetime.now(UTC)))
        if now >= self.comment_at:
            self.comment_at = now + COMMENT_SECONDS
            return COMMENT
        return b""
