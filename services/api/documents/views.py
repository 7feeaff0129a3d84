"""Documents and chunks as the API shows them."""

from datetime import datetime
from typing import Any

from pydantic import JsonValue
from sqlalchemy import ColumnElement, Double, Label, Row, case, cast, func, select, text

from contracts.lanes import Priority
from contracts.statuses import REPEATED, SENTENCES, TERMINAL, Status
from contracts.wire import Timestamp, WireModel
from services.lifecycle.document_attempt import DocumentAttempt
from services.runtime.database.tables import IS_UPLOADED, attempts, documents

Json = dict[str, JsonValue]


def _of_attempt(name: str, column: ColumnElement[Any]) -> Label[Any]:
    """What the parser has stored of the current attempt; null until it has."""
    is_current = (attempts.c.document_id == documents.c.document_id) & (
        attempts.c.attempt == documents.c.attempt
    )
    return select(column).where(is_current).scalar_subquery().label(name)


def _pages(name: str) -> ColumnElement[Any]:
    return func.coalesce(attempts.c.details[name], text("'[]'::jsonb"))


_SECONDS_LEFT = case(
    (
        # Of a producer's document it may hold anything.
        documents.c.status.in_([status.value for status in REPEATED]) & IS_UPLOADED,
        cast(documents.c.event["metadata"]["secondsLeft"].as_string(), Double),
    )
).label("seconds_left")

_OF_THE_ATTEMPT = {
    "language": attempts.c.language,
    "title": attempts.c.details["title"].astext,
    "pages_failed": _pages("pagesFailed"),
    "pages_garbled": _pages("pagesGarbled"),
}

COLUMNS = [
    _SECONDS_LEFT,
    *(_of_attempt(name, column) for name, column in _OF_THE_ATTEMPT.items()),
    *(documents.c[name]
    for name in (
        "document_id", "filename", "file_type", "size", "sha256", "owner_id", "status", "message", "attempt",
        "page_count", "chunk_count", "embedded_count", "error", "created_at", "updated_at", "stages",
        "status_attempt", "attempted_at", "priority",
    )),
]  # fmt: skip


class DocumentError(WireModel):
    """The failure of a document."""

    code: str
    message: str
    stage: str | None
    retryable: bool


class DocumentView(WireModel):
    """A document; ``title`` is what it calls itself, or its first heading.

    ``seconds_left`` until it can be found, where that is known; ``ahead`` are the pages, or after parsing the
    chunks, that are before it in its lane, while it waits.
    """

    document_id: str
    filename: str | None
    file_type: str | None
    size: int | None
    sha256: str | None
    owner_id: str | None
    status: Status
    message: str
    attempt: int
    title: str | None
    language: str | None
    priority: Priority
    page_count: int | None
    pages_failed: list[int] | None
    pages_garbled: list[int] | None
    chunk_count: int | None
    embedded_count: int | None
    seconds_left: float | None = None
    ahead: int | None = None
    error: DocumentError | None
    created_at: Timestamp
    updated_at: Timestamp
    stages: Json

    @property
    def is_under_way(self) -> bool:
        """True while it will still reach a terminal status by itself."""
        return self.status not in TERMINAL


class DocumentWithPosition(DocumentView):
    """A document, and where the stream of its further events begins."""

    position: str


class DocumentPage(WireModel):
    """A page of documents; ``position`` is where the stream of events begins that completes the list."""

    items: list[DocumentView]
    next_cursor: str | None
    position: str


class ChunkView(WireModel):
    """A chunk of a document."""

    index: int
    text: str
    token_count: int
    page_start: int | None
    page_end: int | None
    headings: list[str]


class ChunkPage(WireModel):
    """A page of chunks, in order."""

    items: list[ChunkView]
    next_cursor: str | None


def view_of_upload(attempt: DocumentAttempt, sha256: str, now: datetime, priority: Priority) -> DocumentView:
    """Return the view of a document that was uploaded just now."""
    return DocumentView(
        document_id=attempt.document_id,
        filename=attempt.filename,
        file_type=attempt.file_type,
        size=attempt.size,
        sha256=sha256,
        owner_id=attempt.owner_id,
        attempt=attempt.attempt,
        priority=priority,
        **dict.fromkeys(_OF_THE_ATTEMPT),
        created_at=now,
        **_just_begun(now),
    )


def document_view(row: Row[Any]) -> DocumentView:
    """Return a row of ``COLUMNS`` as people see it.

    Between the moment an attempt begins and the moment the projector has seen its first event, the row still
    shows the attempt before; people are shown what they asked for.
    """
    values = dict(row._mapping)
    status_attempt, attempted_at = values.pop("status_attempt"), values.pop("attempted_at")
    if status_attempt < values["attempt"]:
        values |= _just_begun(attempted_at)
    return DocumentView(**values)


def _just_begun(at: datetime) -> dict[str, Any]:
    counts = dict.fromkeys(("page_count", "chunk_count", "embedded_count"))
    return {
        "status": Status.PARSING_STARTED,
        "message": SENTENCES[Status.PARSING_STARTED],
        "error": None,
        "stages": {},
        "seconds_left": None,
        "updated_at": at,
        **counts,
    }
