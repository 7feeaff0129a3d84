"""The progress of a document, from events that may be repeated or late."""

from dataclasses import dataclass
from typing import Any

from cli.document import Document
from contracts.events import StatusEvent
from contracts.statuses import TERMINAL, Status, supersedes


@dataclass
class DocumentProgress:
    """One document on its way; ``done`` of ``total`` pages or chunks in this stage, 0 where unknown."""

    document_id: str
    name: str
    status: Status
    attempt: int
    done: int = 0
    total: int = 0
    chunks: int | None = None
    error: str = ""
    code: str = ""
    deleted: bool = False

    @classmethod
    def of(cls, document: Document, name: str) -> "DocumentProgress":
        """The progress of a document as the API described it; ``name`` is what people called it."""
        # Begun at the first status, so that events which overtook the description are not taken for old.
        progress = cls(document.document_id, name, Status.PARSING_STARTED, document.attempt)
        if document.is_done:
            progress.describe(document)
        return progress

    @property
    def is_done(self) -> bool:
        """True when nothing more will come."""
        return self.deleted or self.status in TERMINAL

    @property
    def succeeded(self) -> bool:
        """True when the document can be found by search."""
        return self.status is Status.EMBEDDED and not self.deleted

    def describe(self, document: Document) -> None:
        """Take over what the API says of the document now."""
        if not self._is_superseded(document.attempt, document.status):
            return
        self.status, self.attempt, self.chunks = document.status, document.attempt, document.chunk_count
        if document.error is not None:
            self.error, self.code = document.error.message, document.error.code

    def apply(self, event: StatusEvent) -> bool:
        """Move on; False for an event that tells of something older than what is known."""
        done, total = stage_counts(event)
        is_repeated = (event.attempt, event.status) == (self.attempt, self.status)
        if not self._is_superseded(event.attempt, event.status) or (is_repeated and done < self.done):
            return False
        self.status, self.attempt, self.done, self.total = event.status, event.attempt, done, total
        self.chunks = (
            number(event.metadata, "chunkCount") or number(event.metadata, "embeddingCount") or self.chunks
        )
        if event.status is Status.FAILED:
            self.error = str(event.metadata.get("error") or event.message)
            self.code = str(event.metadata.get("code") or "")
        return True

    def _is_superseded(self, attempt: int, status: Status) -> bool:
        return not self.deleted and supersedes(
            attempt, status, known_attempt=self.attempt, known_status=self.status
        )


def stage_counts(event: StatusEvent) -> tuple[int, int]:
    """Return what is done, and of how many, in the stage that the event tells of: pages or chunks."""
    done, total = {
        Status.PARSING: ("pagesDone", "pageCount"),
        Status.EMBEDDING: ("embeddedCount", "chunkCount"),
    }.get(event.status, ("", ""))
    return number(event.metadata, done) or 0, number(event.metadata, total) or 0


def number(metadata: dict[str, Any], key: str) -> int | None:
    """Read a count; whatever else stands there, which any producer may send, is none."""
    value = metadata.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
