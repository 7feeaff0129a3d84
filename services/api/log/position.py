"""Positions in the log of events: what ``id:``, ``position`` and ``Last-Event-ID`` carry.

An id is ``<offset>-<tag>``: the offset of an event in the RabbitMQ stream, and four bytes of a hash of that
event's own id. The offset alone would name another event after the stream was deleted and made again. With
``.before`` behind it, it is the place just before that event: where a log begins whose older part was dropped.
"""

import hashlib
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

_PATTERN = re.compile(r"([0-9]{1,18})-([0-9a-f]{8})(\.before)?")


class GapReason(StrEnum):
    """The ``reason`` of a ``reset``, for which events may be missing after a position."""

    EXPIRED = "expired"
    UNKNOWN = "unknown"
    SLOW = "slow"


@dataclass(frozen=True, order=True, slots=True)
class Position:
    """A place after the event at ``offset``, or just before it; ``Position.start()`` is before the first one."""

    offset: int
    tag: str
    is_before: bool = False

    @classmethod
    def start(cls) -> Self:
        """Return the position before the first event that ever was."""
        return cls(-1, "")

    @classmethod
    def of(cls, offset: int, event_id: str) -> Self:
        """Return the position after the event ``event_id`` at ``offset``."""
        return cls(offset, hashlib.blake2s(event_id.encode(), digest_size=4).hexdigest())

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read an id; return None for text that never was one."""
        if text == "start":
            return cls.start()
        match = _PATTERN.fullmatch(text)
        return cls(int(match[1]), match[2], match[3] is not None) if match else None

    @property
    def event(self) -> Self:
        """The position of the event that this one names."""
        return replace(self, is_before=False) if self.is_before else self

    def before(self) -> Self:
        """Return the position just before the event that this one names, so that it is the first that follows."""
        return replace(self, is_before=True)

    def names(self, event_id: str) -> bool:
        """Return whether this is the position of the event ``event_id``."""
        return self == self.of(self.offset, event_id)

    def __str__(self) -> str:
        if self.offset < 0:
            return "start"
        return f"{self.offset}-{self.tag}" + (".before" if self.is_before else "")
