"""The newest part of the log in memory, shared by everybody who follows it."""

from collections import deque
from collections.abc import Sequence
from itertools import islice

from services.api.events.entry import Entry
from services.api.events.position import Position

MAX_BYTES = 64 * 1024 * 1024
ENTRY_OVERHEAD_BYTES = 1500
"""What an entry takes beside its frame (the decoded event, measured with tracemalloc)."""


class Ring:
    """Entries in log order; the oldest fall out when their sum passes ``max_bytes``.

    ``floor`` is the position up to which entries are missing: whoever is there or later finds everything
    that follows here.
    """

    def __init__(self, head: Position, *, max_bytes: int = MAX_BYTES) -> None:
        self._entries: deque[Entry] = deque()
        self._bytes = 0
        self._max_bytes = max_bytes
        self.floor = head
        self.head = head

    def append(self, entry: Entry) -> bool:
        """Add the newest entry; False for one that is here already."""
        if entry.offset <= self.head.offset:
            return False
        self._entries.append(entry)
        self._bytes += len(entry.frame) + ENTRY_OVERHEAD_BYTES
        self.head = entry.position
        while self._bytes > self._max_bytes and len(self._entries) > 1:
            oldest = self._entries.popleft()
            self._bytes -= len(oldest.frame) + ENTRY_OVERHEAD_BYTES
            self.floor = oldest.position
        return True

    def knows(self, position: Position) -> bool | None:
        """Whether ``position`` is that of an event, or None when it is older than the ring."""
        if position in (self.head, self.floor):
            return True
        if position.offset <= self.floor.offset:
            return None
        index = self._index_after(position.offset - 1)
        return index < len(self._entries) and self._entries[index].position == position

    def after(self, offset: int, limit: int) -> Sequence[Entry]:
        """At most ``limit`` entries after ``offset``, oldest first."""
        if offset >= self.head.offset:
            return ()
        start = self._index_after(offset)
        return list(islice(self._entries, start, start + limit))

    def _index_after(self, offset: int) -> int:
        # Offsets have gaps, so the place is searched for; from the end, where nearly everybody is.
        index = len(self._entries)
        for entry in reversed(self._entries):
            if entry.offset <= offset:
                return index
            index -= 1
        return index
