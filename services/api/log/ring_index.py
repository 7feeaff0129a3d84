"""Where in the ring the events of an owner or a document are: who sees few of them passes over all others."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from contracts.events import LogEvent


class Postings:
    """The cursors of entries that have something in common, in log order; the oldest go first."""

    __slots__ = ("_cursors", "_dropped")

    def __init__(self) -> None:
        self._cursors: list[int] = []
        self._dropped = 0  # of the list's beginning, and not yet cut off

    def __len__(self) -> int:
        return len(self._cursors) - self._dropped

    def append(self, cursor: int) -> None:
        """Add the newest."""
        self._cursors.append(cursor)

    def drop_oldest(self) -> None:
        """Drop the oldest, which has left the ring."""
        self._dropped += 1
        if self._dropped * 2 > len(self._cursors):
            del self._cursors[: self._dropped]
            self._dropped = 0

    def since(self, cursor: int, limit: int) -> Sequence[int]:
        """Return at most ``limit`` from a cursor on, oldest first."""
        start = bisect_left(self._cursors, cursor, self._dropped)
        return self._cursors[start : start + limit]

    def newest_first(self) -> Iterable[int]:
        """Return all of them, newest first."""
        return (self._cursors[index] for index in range(len(self._cursors) - 1, self._dropped - 1, -1))


NONE = Postings()


class RingIndex:
    """The postings of each owner (None: nobody's) and each document that has events in a ring."""

    __slots__ = ("_by_document", "_by_owner")

    def __init__(self) -> None:
        self._by_owner: dict[str | None, Postings] = {}
        self._by_document: dict[str, Postings] = {}

    def add(self, cursor: int, event: LogEvent) -> None:
        """Note the newest event."""
        owned = self._by_owner.get(event.owner_id)
        if owned is None:  # setdefault would make one each time
            owned = self._by_owner[event.owner_id] = Postings()
        owned.append(cursor)
        of_document = self._by_document.get(event.document_id)
        if of_document is None:
            of_document = self._by_document[event.document_id] = Postings()
        of_document.append(cursor)

    def drop(self, event: LogEvent) -> None:
        """Forget the oldest event, which leaves the ring."""
        owned, of_document = self._by_owner[event.owner_id], self._by_document[event.document_id]
        owned.drop_oldest()
        of_document.drop_oldest()
        if not owned:
            del self._by_owner[event.owner_id]
        if not of_document:
            del self._by_document[event.document_id]

    def of_owner(self, owner_id: str | None) -> Postings:
        """Return where an owner's events are; those of nobody for None."""
        return self._by_owner.get(owner_id, NONE)

    def of_document(self, document_id: str) -> Postings:
        """Return where a document's events are."""
        return self._by_document.get(document_id, NONE)
