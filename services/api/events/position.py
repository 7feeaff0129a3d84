"""Where somebody is in the log of events: what ``id:``, ``position`` and ``Last-Event-ID`` carry.

An id is ``<offset>-<tag>``: the offset of an event in the RabbitMQ stream, and four bytes of a hash of that
event's own id. The offset alone would name another event after the stream was deleted and made again.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Self

_PATTERN = re.compile(r"(\d{1,19})-([0-9a-f]{8})")


@dataclass(frozen=True, order=True)
class Position:
    """After the event at ``offset``; ``Position.start()`` is before the first one."""

    offset: int
    tag: str

    @classmethod
    def start(cls) -> Self:
        """Before the first event that ever was."""
        return cls(-1, "")

    @classmethod
    def of(cls, offset: int, event_id: str) -> Self:
        """After the event ``event_id`` at ``offset``."""
        return cls(offset, hashlib.blake2s(event_id.encode(), digest_size=4).hexdigest())

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read an id; None for text that never was one."""
        if text == "start":
            return cls.start()
        match = _PATTERN.fullmatch(text)
        return cls(int(match[1]), match[2]) if match else None

    def names(self, event_id: str) -> bool:
        """Whether this is the position of the event ``event_id``."""
        return self == self.of(self.offset, event_id)

    def __str__(self) -> str:
        return "start" if self.offset < 0 else f"{self.offset}-{self.tag}"
