"""Makes the status events of a stage, and appends them to the log."""

from pydantic import JsonValue

from contracts.events import StatusEvent
from contracts.failures import DocumentFailed
from contracts.statuses import Status
from services.lifecycle.document_attempt import DocumentAttempt
from services.runtime.messaging.publisher import Publisher
from services.runtime.process.logging import get_logger

log = get_logger(__name__)


class StatusReporter:
    """Reports as ``source``: ``api``, ``parser`` or ``embedder``."""

    def __init__(self, publisher: Publisher, source: str) -> None:
        self.publisher = publisher
        self._source = source

    def event(
        self,
        attempt: DocumentAttempt,
        status: Status,
        message: str,
        metadata: dict[str, JsonValue] | None = None,
        *,
        progress: int = 0,
    ) -> StatusEvent:
        """Make the event of this moment; ``progress`` tells repetitions of ``parsing`` and ``embedding`` apart."""
        return StatusEvent.now(
            attempt.document_id,
            attempt.attempt,
            status,
            message,
            # Type and name on each event, so that filters by either are alike for all statuses.
            {"filename": attempt.filename, "fileType": attempt.file_type, **(metadata or {})},
            owner_id=attempt.owner_id,
            source=self._source,
            progress=progress,
        )

    async def publish(self, event: StatusEvent) -> None:
        """Append an event to the log. Raises Unavailable."""
        await self.publisher.event(event)
        log.info(
            "status_reported", document_id=event.document_id, attempt=event.attempt, status=event.status.value
        )

    def failure(self, attempt: DocumentAttempt, failure: DocumentFailed, stage: str) -> StatusEvent:
        """The terminal ``failed`` with its reason, for people and for programs."""
        details: dict[str, JsonValue] = {
            "error": failure.message,
            "code": failure.code.value,
            "stage": stage,
            "retryable": failure.retryable,
        }
        return self.event(attempt, Status.FAILED, failure.message, details)
