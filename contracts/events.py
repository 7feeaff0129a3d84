"""Facts about documents, in one shape everywhere: AMQP body, webhook body, SSE ``data``."""

from datetime import UTC, datetime
from typing import Annotated, ClassVar, Self
from uuid import UUID, uuid5

from pydantic import Field, JsonValue, StringConstraints

from contracts.statuses import Status
from contracts.wire import DocumentId, Metadata, Timestamp, WireModel

MAX_MESSAGE_CHARACTERS = 2000

_EVENT_NAMESPACE = UUID("5a6ec457-7e0b-4c3f-9d38-52e1a1c3a1e0")

_Name = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00]*$")]
"""No NUL: PostgreSQL takes none in a text, and names are looked for there."""

EventId = _Name
OwnerId = _Name


class StatusEvent(WireModel):
    """A document took a status."""

    type: ClassVar[str] = "document_processing"
    event_id: EventId
    document_id: DocumentId
    status: Status
    message: Annotated[str, StringConstraints(max_length=MAX_MESSAGE_CHARACTERS)] = ""
    metadata: Metadata = Field(default_factory=dict)
    timestamp: Timestamp
    owner_id: OwnerId | None = None
    attempt: Annotated[int, Field(ge=1)] = 1
    source: str

    @property
    def routing_key(self) -> str:
        """``<source>.<status>``, for people who bind their own queues to the events."""
        return f"{self.source}.{self.status}"

    def is_of_producer(self) -> bool:
        """Return whether an external producer reported this, and not one of our stages."""
        return self.source.startswith("webhook:")

    @classmethod
    def now(
        cls,
        document_id: str,
        attempt: int,
        status: Status,
        message: str,
        metadata: dict[str, JsonValue],
        *,
        owner_id: str | None,
        source: str,
        progress: int = 0,
    ) -> Self:
        """A fact of this moment, named by ``event_id`` of its document, attempt, status and progress."""
        return cls(
            event_id=event_id(document_id, attempt, status, progress),
            document_id=document_id,
            status=status,
            message=message[:MAX_MESSAGE_CHARACTERS],
            metadata=metadata,
            timestamp=datetime.now(UTC),
            owner_id=owner_id,
            attempt=attempt,
            source=source,
        )


class DocumentDeleted(WireModel):
    """A document, its chunks and its bytes were removed."""

    type: ClassVar[str] = "document_deleted"
    document_id: DocumentId
    owner_id: OwnerId | None = None
    timestamp: Timestamp

    @property
    def event_id(self) -> str:
        """The same for every repetition of one deletion."""
        return str(uuid5(_EVENT_NAMESPACE, f"{self.document_id}/deleted"))

    @property
    def routing_key(self) -> str:
        """Beside ``<source>.<status>``."""
        return "api.deleted"


class OperationProgress(WireModel):
    """A bulk call has dealt with so many of the documents that it is for, or has ended."""

    type: ClassVar[str] = "operation"
    document_id: ClassVar[str] = ""
    """It is of no document."""
    operation_id: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    kind: Annotated[str, StringConstraints(min_length=1, max_length=32)]
    done: Annotated[int, Field(ge=0)]
    matched: Annotated[int, Field(ge=0)]
    ended: bool
    owner_id: OwnerId | None = None
    timestamp: Timestamp

    @property
    def event_id(self) -> str:
        """The same for every repetition of one step."""
        return str(uuid5(_EVENT_NAMESPACE, f"operation/{self.operation_id}/{self.done}/{self.ended}"))

    @property
    def routing_key(self) -> str:
        """Beside ``<source>.<status>``."""
        return "api.operation"


LogEvent = StatusEvent | DocumentDeleted | OperationProgress

WITHOUT_STATUS = (DocumentDeleted.type, OperationProgress.type)
"""The types of events that have neither status nor source: no filter by these leaves them out."""


def event_id(document_id: str, attempt: int, status: Status, progress: int = 0) -> str:
    """Name a fact so that a step that runs twice reports it under one id.

    ``progress`` tells the repetitions of ``parsing`` and ``embedding`` apart (pages or chunks done).
    """
    return str(uuid5(_EVENT_NAMESPACE, f"{document_id}/{attempt}/{status}/{progress}"))
