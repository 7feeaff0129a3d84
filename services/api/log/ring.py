"""The newest part of the log in memory, shared by everybody who follows it."""

from bisect import bisect_left
from collections.abc import Sequence
from operator import attrgetter

from services.api.log.entry import Entry
from services.api.log.position import GapReason, Position
from services.api.log.ring_index import RingIndex

MAX_BYTES = 64 * 1024 * 1024

_offset = attrgetter("offset")


class Ring:
    """Entries in log order; the oldest fall out when their sum passes ``max_bytes``.

    A cursor is the number of entries before the one that comes next, counted from the ring's making; cursors
    from ``base`` to ``end`` find what they need here. ``floor`` is the position at ``base``: everything that
    follows it is here. ``index`` finds the cursors of what belongs to an owner or a document.
    """

    def __init__(self, head: Position, *, max_bytes: int = MAX_BYTES) -> None:
        self._entries: list[Entry] = []
        self._dropped = 0  # of the list's beginning, and not yet cut off
        self._cut = 0
        self._bytes = 0
        self._max_bytes = max_bytes
        self.index = RingIndex()
        self.floor = head
        self.head = head
        self.end = 0

    @property
    def base(self) -> int:
        """The oldest cursor that is still served."""
        return self._cut + self._dropped

    def append(self, entry: Entry) -> bool:
        """Add the newest entry; return False for one that is here already."""
        if entry.offset <= self.head.offset:
            return False
        self._entries.append(entry)
        if entry.event is not None:
            self.index.add(self.end, entry.event)
        self.end += 1
        self.head = entry.position
        self._bytes += entry.size
        while self._bytes > self._max_bytes and self.end - self.base > 1:
            self._drop_oldest()
        return True

    def locate(self, position: Position) -> int | GapReason | None:
        """Return the cursor of a position; None when it is older than the ring, UNKNOWN when it is no event's."""
        if position == self.head:
            return self.end
        if position == self.floor:
            return self.base
        if position.offset <= self.floor.offset:
            return None
        index = bisect_left(self._entries, position.offset, self._dropped, key=_offset)
        if index == len(self._entries) or self._entries[index].position != position.event:
            return GapReason.UNKNOWN
        return self._cut + index + (0 if position.is_before else 1)

    def entries(self, cursor: int, limit: int) -> Sequence[Entry]:
        """Return at most ``limit`` entries from a cursor on, oldest first."""
        start = cursor - self._cut
        return self._entries[start : start + limit]

    def entry(self, cursor: int) -> Entry:
        """Return the entry that comes next at a cursor from ``base`` on, before ``end``."""
        return self._entries[cursor - self._cut]

    def position(self, cursor: int) -> Position:
        """Return the position of a cursor between ``base`` and ``end``."""
        return self.floor if cursor == self.base else self._entries[cursor - self._cut - 1].position

    def _drop_oldest(self) -> None:
        oldest = self._entries[self._dropped]
        self._bytes -= oldest.size
        if oldest.event is not None:
            self.index.drop(oldest.event)
        self.floor = oldest.position
        self._dropped += 1
        if self._dropped * 8 > len(self._entries):
            # Cut in large pieces: dropping the first of a list moves all others.
            del self._entries[: self._dropped]
            self._cut += self._dropped
            self._dropped = 0
