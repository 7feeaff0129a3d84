"""Tells people what has become of a document: appends the status events of a stage to the log."""

from pydantic import JsonValue

from contracts.events import StatusEvent
from contracts.failures import DocumentFailed
from contracts.statuses import Status
from services.lifecycle.document_attempt import DocumentAttempt
from services.runtime.messaging.publisher import Publisher
from services.runtime.process.logging import get_logger

log = get_logger(__name__)


class StatusReporter:
    """Reports as ``source``: ``api``, ``parser`` or ``embedder``. Methods raise Unavailable."""

    def __init__(self, publisher: Publisher, source: str) -> None:
        self.publisher = publisher
        self._source = source

    async def report(
        self,
        document: DocumentAttempt,
        status: Status,
        message: str,
        metadata: dict[str, JsonValue] | None = None,
        *,
        progress: int = 0,
    ) -> None:
        """Append one status; ``progress`` tells repetitions of ``parsing`` and ``embedding`` apart."""
        await self.append(self.event(document, status, message, metadata, progress=progress))

    def event(
        self,
        document: DocumentAttempt,
        status: Status,
        message: str,
        metadata: dict[str, JsonValue] | None = None,
        *,
        progress: int = 0,
    ) -> StatusEvent:
        """A fact of this moment, not yet in the log."""
        return StatusEvent.now(
            document.document_id,
            document.attempt,
            status,
            message,
            # Type and name on each event, so that filters by either are alike for all statuses.
            {"filename": document.filename, "fileType": document.file_type, **(metadata or {})},
            owner_id=document.owner_id,
            source=self._source,
            progress=progress,
        )

    async def append(self, event: StatusEvent) -> None:
        """Append an event to the log."""
        await self.publisher.event(event)
        log.info("status", document_id=event.document_id, attempt=event.attempt, status=event.status.value)

    def failure(self, document: DocumentAttempt, failure: DocumentFailed, stage: str) -> StatusEvent:
        """The terminal ``failed`` with its reason, for people and for programs."""
        details: dict[str, JsonValue] = {
            "error": failure.message,
            "code": failure.code.value,
            "stage": stage,
            "retryable": failure.retryable,
        }
        return self.event(document, Status.FAILED, failure.message, details)
