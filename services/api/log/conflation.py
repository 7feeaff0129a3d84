"""For who lags: the newest progress of each document instead of every step. All else is told as it was."""

from collections.abc import Callable, Sequence

from contracts.events import LogEvent, StatusEvent
from contracts.statuses import REPEATED
from services.api.log.entry import Entry
from services.api.log.ring import Ring

LAG_ENTRIES = 4000
"""Who has more than so many before the end of the log lags, and is spared the steps up to that end. Who was away
for a moment, while a server started, gets every step."""

Shows = Callable[[LogEvent], bool]


def is_progress(event: LogEvent) -> bool:
    """Return whether an event is a step that a later one of its document makes obsolete."""
    return isinstance(event, StatusEvent) and event.status in REPEATED


def conflated(entries: Sequence[Entry], shows: Shows) -> list[Entry]:
    """Return the entries that are shown, in order, without progress of which they have a newer one."""
    kept: list[Entry] = []
    told: set[str] = set()
    for entry in reversed(entries):
        event = entry.event
        if event is None or not shows(event):
            continue
        if is_progress(event):
            if event.document_id in told:
                continue
            told.add(event.document_id)
        kept.append(entry)
    kept.reverse()
    return kept


class NewestProgress:
    """The newest progress of each document in a ring, among what is shown; looked up when first asked for."""

    __slots__ = ("_newest", "_ring", "_shows")

    def __init__(self, ring: Ring, shows: Shows) -> None:
        self._ring = ring
        self._shows = shows
        self._newest: dict[str, int] = {}

    def supersedes(self, cursor: int, event: LogEvent) -> bool:
        """Return whether the event at a cursor is progress, and the ring has a newer one of its document."""
        if not is_progress(event):
            return False
        newest = self._newest.get(event.document_id)
        if newest is None:
            newest = self._newest[event.document_id] = self._find(event.document_id, cursor)
        return newest > cursor

    def _find(self, document_id: str, cursor: int) -> int:
        for candidate in self._ring.index.of_document(document_id).newest_first():
            event = self._ring.entry(candidate).event
            if candidate <= cursor or (event is not None and is_progress(event) and self._shows(event)):
                return candidate
        return cursor
