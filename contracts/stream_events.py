"""What the event stream hands out, as clients are told it: the data of each event, and of each status its metadata.

A description and not a gate: metadata of external producers may lack anything and hold more, and a status event is
never refused for it. Clients in other languages are made from this.
"""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from contracts.events import DocumentDeleted, OperationProgress, StatusEvent
from contracts.failures import FailureCode
from contracts.statuses import Status
from contracts.wire import Timestamp, WireModel

Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]


class ToldMetadata(WireModel):
    """What is told with every status."""

    model_config = ConfigDict(extra="allow")
    filename: str | None = None


class ParsingStartedMetadata(ToldMetadata):
    """``file_type`` is a media type, ``size`` in bytes."""

    file_type: str | None = None
    size: Count | None = None


class ParsingMetadata(ToldMetadata):
    """How far the parser is, in pages; ``pages_recognized`` are those of them by OCR."""

    file_type: str | None = None
    pages_done: Count | None = None
    page_count: Count | None = None
    pages_recognized: Count | None = None
    seconds_left: Seconds | None = None


class ParsedMetadata(ToldMetadata):
    """What was read; the numbers of pages that can't be read, and of those whose text is none.

    ``recognition_confidence`` is from 0 to 1.
    """

    chunk_count: Count | None = None
    page_count: Count | None = None
    token_count: Count | None = None
    pages_recognized: Count | None = None
    recognition_confidence: Annotated[float, Field(ge=0, le=1)] | None = None
    pages_failed: list[Count] | None = None
    pages_garbled: list[Count] | None = None


class EmbeddingMetadata(ToldMetadata):
    """How far the embedder is, in chunks."""

    embedded_count: Count | None = None
    chunk_count: Count | None = None
    seconds_left: Seconds | None = None


class EmbeddedMetadata(ToldMetadata):
    """``dimensions`` of each vector; ``duration_ms`` since the upload."""

    embedding_count: Count | None = None
    model: str | None = None
    dimensions: Count | None = None
    duration_ms: Count | None = None


class FailedMetadata(ToldMetadata):
    """``error`` is a sentence for people, ``code`` for programs; producers may have codes of their own."""

    error: str | None = None
    code: FailureCode | str | None = None
    stage: str | None = None
    retryable: bool | None = None


class ToldEvent(StatusEvent):
    """On the stream nothing is left out that a producer may leave out."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


class ParsingStartedEvent(ToldEvent):
    """A document was taken, and waits to be parsed."""

    status: Literal[Status.PARSING_STARTED]
    metadata: ParsingStartedMetadata  # type: ignore[assignment]  # a description of the same


class ParsingEvent(ToldEvent):
    """A document is being parsed; told again with progress."""

    status: Literal[Status.PARSING]
    metadata: ParsingMetadata  # type: ignore[assignment]  # a description of the same


class ParsedEvent(ToldEvent):
    """A document was parsed, and waits to be embedded."""

    status: Literal[Status.PARSED]
    metadata: ParsedMetadata  # type: ignore[assignment]  # a description of the same


class EmbeddingEvent(ToldEvent):
    """A document is being embedded; told again with progress."""

    status: Literal[Status.EMBEDDING]
    metadata: EmbeddingMetadata  # type: ignore[assignment]  # a description of the same


class EmbeddedEvent(ToldEvent):
    """A document can be found. Nothing more comes in this attempt."""

    status: Literal[Status.EMBEDDED]
    metadata: EmbeddedMetadata  # type: ignore[assignment]  # a description of the same


class FailedEvent(ToldEvent):
    """A document could not be processed. Nothing more comes in this attempt."""

    status: Literal[Status.FAILED]
    metadata: FailedMetadata  # type: ignore[assignment]  # a description of the same


DocumentProcessing = Annotated[
    ParsingStartedEvent | ParsingEvent | ParsedEvent | EmbeddingEvent | EmbeddedEvent | FailedEvent,
    Field(discriminator="status"),
]


class Connected(WireModel):
    """The first event of a connection; ``position`` is where it starts."""

    client_id: str
    server_time: Timestamp
    position: str


class Heartbeat(WireModel):
    """The connection lives."""

    server_time: Timestamp


class Reset(WireModel):
    """Events may be missing: fetch the list again. What follows ``position`` comes next."""

    reason: Literal["expired", "unknown", "slow"]
    position: str


class Reconnect(WireModel):
    """The server closes next; come back."""

    reason: Literal["shutdown", "lease", "auth"]


STREAM_EVENTS: dict[str, Any] = {
    "connected": Connected,
    "heartbeat": Heartbeat,
    "document_processing": DocumentProcessing,
    "document_deleted": DocumentDeleted,
    "operation": OperationProgress,
    "reset": Reset,
    "reconnect": Reconnect,
}
"""The events of the stream by their names, with the type of their data."""


def stream_events_schema(ref_template: str = "#/$defs/{model}") -> dict[str, Any]:
    """The JSON Schema of an object that has each event's data under its name."""
    schemas, shared = TypeAdapter.json_schemas(
        [(name, "serialization", TypeAdapter(kind)) for name, kind in STREAM_EVENTS.items()],
        by_alias=True,
        ref_template=ref_template,
    )
    data = {name: schemas[name, "serialization"] for name in STREAM_EVENTS}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "StreamEvents",
        "description": "The data of each event of the stream, by the event's name.",
        "type": "object",
        "properties": data,
        "required": list(data),
        "additionalProperties": False,
        "$defs": shared["$defs"],
    }
