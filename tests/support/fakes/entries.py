"""Entries of the log, as they would have come from the broker."""

from datetime import UTC, datetime

from contracts.events import StatusEvent
from contracts.statuses import Status
from services.api.log.entry import Entry, read_entry


def entry(offset: int, status: Status = Status.PARSING) -> Entry:
    """The event ``e<offset>`` of a document."""
    event = StatusEvent(
        event_id=f"e{offset}",
        document_id="d",
        status=status,
        timestamp=datetime(2026, 11, 22, tzinfo=UTC),
        source="parser",
    )
    return read_entry(offset, "document_processing", None, event.to_wire())
