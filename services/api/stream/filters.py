"""The events that a client wants and may see; alike for replay and tail."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from contracts.events import LogEvent, StatusEvent
from services.api.access.caller import Caller
from services.api.documents.file_types import has_file_type
from services.api.log.ring import Ring
from services.api.log.ring_index import Postings

Key = tuple[str, str | None]
"""What events have in common, and what it is: ``("owner", "ann")``."""
ANYTHING: Key = ("anything", None)


@dataclass(frozen=True)
class Filter:
    """A client's wishes; an empty part asks for everything, and values of a part are alternatives."""

    document_ids: frozenset[str] = frozenset()
    statuses: frozenset[str] = frozenset()
    file_types: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()

    def wants(self, event: LogEvent) -> bool:
        """Return whether an event passes every part.

        A deletion has neither status nor type: only its id counts. An operation is of no document.
        """
        if self.document_ids and event.document_id not in self.document_ids:
            return False
        if not isinstance(event, StatusEvent):
            return True
        return (
            (not self.statuses or event.status.value in self.statuses)
            and (not self.sources or event.source in self.sources)
            and (not self.file_types or self._wants_type(event))
        )

    def _wants_type(self, event: StatusEvent) -> bool:
        file_type, filename = event.metadata.get("fileType"), event.metadata.get("filename")
        return any(
            has_file_type(
                wanted,
                file_type if isinstance(file_type, str) else None,
                filename if isinstance(filename, str) else None,
            )
            for wanted in self.file_types
        )


@dataclass(frozen=True)
class View:
    """What a caller gets to see of the log through a filter; ``every_step`` of progress also when it lags."""

    caller: Caller
    filter: Filter
    every_step: bool = False

    @property
    def is_total(self) -> bool:
        """True where every event is shown."""
        return self.caller.sees_all and self.filter == Filter()

    @property
    def keys(self) -> Sequence[Key]:
        """One of which each event that is shown has: those of the part that leaves the fewest events."""
        wanted = self.filter
        if wanted.document_ids:
            return [("document", one) for one in wanted.document_ids]
        if not self.caller.sees_all:
            return [("owner", self.caller.owner_id), ("owner", None)]
        if wanted.statuses:
            return [("status", one) for one in (*wanted.statuses, None)]
        if wanted.sources:
            return [("source", one) for one in (*wanted.sources, None)]
        return [ANYTHING]

    def postings(self, ring: Ring) -> Sequence[Postings] | None:
        """Return where in a ring all events are that may be shown; None where that may be anywhere."""
        if self.filter.document_ids:
            return [ring.index.of_document(one) for one in self.filter.document_ids]
        if not self.caller.sees_all:
            return [ring.index.of_owner(self.caller.owner_id), ring.index.of_owner(None)]
        return None

    def shows(self, event: LogEvent) -> bool:
        """Return whether the caller may see an event and wants it."""
        return self.caller.may_see(event.owner_id) and self.filter.wants(event)


def keys_of(event: LogEvent) -> Iterator[Key]:
    """Return the keys of an event. A deletion and an operation have neither status nor source: None for both."""
    yield "document", event.document_id
    yield "owner", event.owner_id
    yield "status", event.status.value if isinstance(event, StatusEvent) else None
    yield "source", event.source if isinstance(event, StatusEvent) else None
    yield ANYTHING
