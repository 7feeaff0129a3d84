"""External producers' events: into the same log as our own, once each, confirmed before they are answered."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID, uuid5

from pydantic import Field, JsonValue, StringConstraints, ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils import uuid7

from contracts.events import MAX_MESSAGE_CHARACTERS, EventId, OwnerId, StatusEvent
from contracts.statuses import Status
from contracts.wire import DocumentId, Timestamp, WireModel
from services.api.problems import Problem, field_errors
from services.api.producers import Producer
from services.api.receipts import Receipts
from services.runtime.logs import get_logger
from services.runtime.publisher import Publisher
from services.runtime.tables import documents

MAX_BODY_BYTES = 64 * 1024
_NAMESPACE = UUID("b0a4ce7c-66f2-4b4a-8f0e-6d8c0a7f1b52")

log = get_logger(__name__)


class ReportedStatus(WireModel):
    """What a producer sends; what it may leave out is filled in."""

    document_id: DocumentId
    status: Status
    message: Annotated[str, StringConstraints(max_length=MAX_MESSAGE_CHARACTERS)] = ""
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    timestamp: Timestamp | None = None
    owner_id: OwnerId | None = None
    event_id: EventId | None = None


class Accepted(WireModel):
    """The answer: the event is in the log."""

    accepted: bool
    event_id: str


@dataclass(frozen=True)
class Webhook:
    """What taking reports works with."""

    engine: AsyncEngine
    publisher: Publisher
    receipts: Receipts

    async def accept(self, producer: Producer, report: ReportedStatus, message_id: str | None) -> Accepted:
        """Put a report into the log, unless the same message was put there before.

        Raises Problem 403 for an owner who is none of the producer's, Unavailable. The receipt is written first
        and marked once the broker has confirmed: a message that comes again after a crash in between is
        published again, under the same event id.
        """
        owner_id = await self._owner(producer, report)
        log.info(
            "webhook notification",
            document_id=report.document_id,
            status=report.status.value,
            producer=producer.name,
        )
        event = _event(producer.name, report, owner_id, message_id)
        if message_id is None and report.event_id is None:
            await self.publisher.event(event)
            return Accepted(accepted=True, event_id=event.event_id)
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
        """Whose event this is: as reported, else the document's owner, else the only one the producer may name."""
        query = select(documents.c.owner_id).where(documents.c.document_id == report.document_id)
        async with self.engine.connect() as connection:
            document = (await connection.execute(query)).one_or_none()
        known = document.owner_id if document else None
        only = next(iter(producer.owners)) if producer.owners and len(producer.owners) == 1 else None
        owner_id = report.owner_id or known or only
        # An event of a document must reach nobody but its owner, whoever reports it.
        is_foreign = known is not None and owner_id != known
        if is_foreign or (producer.owners is not None and owner_id not in producer.owners):
            sentence = "This producer may not report on this document for this owner."
            raise Problem(403, sentence, errors=[{"field": "ownerId", "message": sentence}])
        return owner_id


def decode_report(content_type: str, body: bytes) -> ReportedStatus:
    """Read a report; raises Problem 400, 415 or 422."""
    if content_type.split(";")[0].strip().lower() != "application/json":
        raise Problem(415, "The body must be application/json.")
    parsed = _parse_json(body)
    try:
        return ReportedStatus.model_validate(parsed)
    except ValidationError as error:
        errors = field_errors(error.errors(include_url=False, include_input=False, include_context=False))
        raise Problem(422, "The report does not fit the schema.", errors=errors) from error


def _parse_json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Problem(400, "The body is not well-formed JSON.") from error


def _event(
    producer: str, report: ReportedStatus, owner_id: str | None, message_id: str | None
) -> StatusEvent:
    if report.event_id:
        event_id = report.event_id
    elif message_id:
        event_id = str(uuid5(_NAMESPACE, f"{producer}/{message_id}"))
    else:
        event_id = str(uuid7())
    return StatusEvent(
        event_id=event_id,
        document_id=report.document_id,
        status=report.status,
        message=report.message,
        metadata=report.metadata,
        timestamp=report.timestamp or datetime.now(UTC),
        owner_id=owner_id,
        source=f"webhook:{producer}",
    )
