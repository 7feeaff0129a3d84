"""A document as the API describes it, as far as the command reads it."""

from typing import Any

from contracts.statuses import TERMINAL, Status
from contracts.wire import DocumentId, WireModel


class DocumentError(WireModel):
    """The reason why a document failed: ``message`` for people, ``code`` for programs."""

    code: str = "internal"
    message: str = ""


class Document(WireModel):
    """One document; what the API does not know yet is none."""

    document_id: DocumentId
    status: Status
    filename: str | None = None
    attempt: int = 1
    page_count: int | None = None
    chunk_count: int | None = None
    embedded_count: int | None = None
    error: DocumentError | None = None

    @property
    def is_done(self) -> bool:
        """True when nothing more will happen to it by itself."""
        return self.status in TERMINAL


class Uploaded(WireModel):
    """The answer to an upload; ``already`` when the same bytes were there before, ``answer`` as received."""

    document: Document
    already: bool
    answer: dict[str, Any]
