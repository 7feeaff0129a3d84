"""External producers' events: into the same log as our own, once each, confirmed before they are answered."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, NoReturn
from uuid import UUID, uuid5

from pydantic import JsonValue, StringConstraints, ValidationError
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils import uuid7

from contracts.events import MAX_MESSAGE_CHARACTERS, EventId, OwnerId, StatusEvent
from contracts.statuses import SENTENCES, Status
from contracts.wire import DocumentId, Metadata, Timestamp, WireModel
from services.api.documents.owners import find_owner, note_owner
from services.api.http.problems import field_errors
from services.api.refusals import Forbidden, Invalid, Malformed, Unsupported
from services.api.webhook.producers import Producer
from services.api.webhook.receipts import Receipts
from services.runtime.messaging.publisher import Publisher
from services.runtime.process.disk_reserve import DiskReserve
from services.runtime.process.logging import get_logger

MAX_BODY_BYTES = 64 * 1024
_NAMESPACE = UUID("b0a4ce7c-66f2-4b4a-8f0e-6d8c0a7f1b52")

log = get_logger(__name__)


class ForeignOwner(Forbidden):
    """An owner, or a document of one, for whom the producer may not report."""

    detail = "This producer may not report on this document for this owner."

    def __init__(self) -> None:
        super().__init__(errors=[{"field": "ownerId", "message": self.detail}])


class ReportedStatus(WireModel):
    """A report as a producer sends it; what it may leave out is filled in."""

    document_id: DocumentId
    status: Status
    message: Annotated[str, StringConstraints(max_length=MAX_MESSAGE_CHARACTERS)] | None = None
    metadata: Metadata | None = None
    timestamp: Timestamp | None = None
    owner_id: OwnerId | None = None
    event_id: EventId | None = None


class Accepted(WireModel):
    """The answer: the event is in the log."""

    accepted: bool
    event_id: str


@dataclass(frozen=True)
class Webhook:
    """Accepts reports."""

    engine: AsyncEngine
    publisher: Publisher
    receipts: Receipts
    disk: DiskReserve

    async def accept(self, producer: Producer, report: ReportedStatus, message_id: str | None) -> Accepted:
        """Put a report into the log, unless the same message was put there before.

        Raises ForeignOwner for one who is none of the producer's, Invalid for an id that is another producer's;
        Unavailable, NoRoom. The receipt is written first and marked once the broker has confirmed: a message that
        comes again after a crash in between is published again, under the same event id.
        """
        self.disk.require()
        owner_id = await self._owner(producer, report)
        log.info(
            "report_received",
            document_id=report.document_id,
            status=report.status.value,
            producer=producer.name,
        )
        event = event_of(producer.name, report, owner_id, message_id)
        if message_id is None and report.event_id is None:
            await self.publisher.event(event)
            return Accepted(accepted=True, event_id=event.event_id)
        if report.event_id is not None and await self.receipts.is_taken(event):
            errors = [{"field": "eventId", "message": "is the id of another producer's event"}]
            raise Invalid("The eventId is taken.", errors=errors)
        event, is_ours = await self.receipts.claim(message_id, event)
        if is_ours:
            await self._publish(event)
        return Accepted(accepted=True, event_id=event.event_id)

    async def _publish(self, event: StatusEvent) -> None:
        try:
            await self.publisher.event(event)
        except Exception:
            await self.receipts.release(event)
            raise
        await self.receipts.confirm(event)

    async def _owner(self, producer: Producer, report: ReportedStatus) -> str | None:
        """Return the event's owner: as reported, else the document's, else the only one the producer may name."""
        known = await find_owner(self.engine, report.document_id)
        only = next(iter(producer.owners)) if producer.owners and len(producer.owners) == 1 else None
        owner_id = report.owner_id or known or only
        if producer.owners is not None and owner_id not in producer.owners:
            raise ForeignOwner
        if owner_id is not None and known is None:
            known = await note_owner(self.engine, report.document_id, owner_id)
        # An event of a document must reach nobody but its owner, whoever reports it.
        if owner_id != known:
            raise ForeignOwner
        return owner_id


def decode_report(content_type: str, body: bytes) -> ReportedStatus:
    """Read a report; raises Malformed, Unsupported or Invalid."""
    if content_type.split(";")[0].strip().lower() != "application/json":
        raise Unsupported("The body must be application/json.")
    parsed = _parse_json(body)
    try:
        return ReportedStatus.model_validate(parsed)
    except ValidationError as error:
        errors = field_errors(error.errors(include_url=False, include_input=False, include_context=False))
        raise Invalid("The report does not fit the schema.", errors=errors) from error


def _parse_json(body: bytes) -> Any:
    try:
        # Not the bytes: of them json would take UTF-16 and UTF-32 as well.
        return json.loads(body.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise Malformed("The body is not well-formed JSON.") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is Python's, and no JSON")


def event_of(
    producer: str, report: ReportedStatus, owner_id: str | None, message_id: str | None
) -> StatusEvent:
    """Return the event that a report stands for, with what was left out of it."""
    if report.event_id:
        event_id = report.event_id
    elif message_id:
        event_id = str(uuid5(_NAMESPACE, f"{producer}/{message_id}"))
    else:
        event_id = str(uuid7())
    message = report.message or _reason(report) or SENTENCES[report.status]
    return StatusEvent(
        event_id=event_id,
        document_id=report.document_id,
        status=report.status,
        message=message,
        metadata=_metadata(report, message),
        timestamp=report.timestamp or datetime.now(UTC),
        owner_id=owner_id,
        source=f"webhook:{producer}",
    )


def _reason(report: ReportedStatus) -> str:
    """The reason of a failure, as far as the producer says so."""
    reason = (report.metadata or {}).get("error")
    return (
        reason[:MAX_MESSAGE_CHARACTERS] if report.status is Status.FAILED and isinstance(reason, str) else ""
    )


def _metadata(report: ReportedStatus, message: str) -> dict[str, JsonValue]:
    """Return the metadata as reported; a failure has a reason, since that is what front ends show."""
    metadata = dict(report.metadata or {})
    if report.status is Status.FAILED:
        metadata.setdefault("error", message)
    return metadata
