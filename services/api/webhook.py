"""External producers' events: into the same log as our own, once each, confirmed before they are answered."""

import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID, uuid5

from pydantic import Field, JsonValue, StringConstraints, ValidationError
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils import uuid7

from contracts.events import MAX_MESSAGE_CHARACTERS, EventId, OwnerId, StatusEvent
from contracts.statuses import Status
from contracts.wire import DocumentId, Timestamp, WireModel
from services.api.problems import Problem, field_errors
from services.runtime.publisher import Publisher
from services.runtime.tables import webhook_receipts

MAX_BODY_BYTES = 64 * 1024
_NAMESPACE = UUID("b0a4ce7c-66f2-4b4a-8f0e-6d8c0a7f1b52")


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

    async def accept(self, producer: str, report: ReportedStatus, message_id: str | None) -> Accepted:
        """Put a report into the log, unless the same message was put there before. Raises Unavailable.

        The receipt is written first and marked once the broker has confirmed: a message that comes again
        after a crash in between is published again, under the same event id.
        """
        message_id = message_id or report.event_id
        event = _event(producer, report, message_id)
        if message_id is None:
            await self.publisher.event(event)
            return Accepted(accepted=True, event_id=event.event_id)
        event, is_confirmed = await self._receive(producer, message_id, event)
        if not is_confirmed:
            await self.publisher.event(event)
            await self._confirm(producer, message_id)
        return Accepted(accepted=True, event_id=event.event_id)

    async def _receive(self, producer: str, message_id: str, event: StatusEvent) -> tuple[StatusEvent, bool]:
        receipt = insert(webhook_receipts).values(
            producer=producer,
            message_id=message_id,
            event_id=event.event_id,
            event=event.model_dump(mode="json", by_alias=True),
        )
        first = select(webhook_receipts.c.event, webhook_receipts.c.confirmed_at.is_not(None)).where(
            webhook_receipts.c.producer == producer, webhook_receipts.c.message_id == message_id
        )
        async with self.engine.begin() as connection:
            await connection.execute(receipt.on_conflict_do_nothing())
            stored, is_confirmed = (await connection.execute(first)).one()
        return StatusEvent.model_validate(stored), is_confirmed

    async def _confirm(self, producer: str, message_id: str) -> None:
        mark = (
            update(webhook_receipts)
            .where(webhook_receipts.c.producer == producer, webhook_receipts.c.message_id == message_id)
            .values(confirmed_at=func.now())
        )
        async with self.engine.begin() as connection:
            await connection.execute(mark)


def authenticate(key: str | None, producer_keys: dict[str, tuple[str, ...]]) -> str:
    """The producer that a key belongs to; raises Problem 401.

    Every live key is compared, as digests of one length and in constant time, whichever of them matches.
    """
    given = hashlib.sha256((key or "").encode()).digest()
    found = ""
    for producer, keys in producer_keys.items():
        for live in keys:
            if hmac.compare_digest(given, hashlib.sha256(live.encode()).digest()):
                found = producer
    if not found or not key:
        raise Problem(401, "The webhook key is missing or wrong.")
    return found


def decode_report(content_type: str, body: bytes) -> ReportedStatus:
    """Read a report; raises Problem 400, 413, 415 or 422."""
    if content_type.split(";")[0].strip().lower() != "application/json":
        raise Problem(415, "The body must be application/json.")
    if len(body) > MAX_BODY_BYTES:
        raise Problem(413, f"The body is larger than {MAX_BODY_BYTES} bytes.")
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


def _event(producer: str, report: ReportedStatus, message_id: str | None) -> StatusEvent:
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
        owner_id=report.owner_id,
        source=f"webhook:{producer}",
    )
