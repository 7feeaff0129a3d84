"""Entries of the log, as they would have come from the broker."""

from datetime import UTC, datetime

from contracts.events import StatusEvent
from contracts.statuses import Status
from services.api.log.entry import Entry, read_entry


def entry(
    offset: int, status: Status = Status.PARSING, *, owner_id: str | None = None, document_id: str = "d"
) -> Entry:
    """The event ``e<offset>`` of a document."""
    event = StatusEvent(
        event_id=f"e{offset}",
        document_id=document_id,
        status=status,
        timestamp=datetime(2026, 11, 22, tzinfo=UTC),
        owner_id=owner_id,
        source="parser",
    )
    return read_entry(offset, "document_processing", None, event.to_wire())
