"""Tells people what has become of a document: appends the status events of a stage to the log."""

from pydantic import JsonValue

from contracts.events import StatusEvent
from contracts.failures import DocumentFailed, Stage
from contracts.statuses import Status
from services.runtime.fence import FencedDocument
from services.runtime.logs import get_logger
from services.runtime.publisher import Publisher

log = get_logger(__name__)


class Reporter:
    """Reports as ``source``: ``api``, ``parser`` or ``embedder``. Methods raise Unavailable."""

    def __init__(self, publisher: Publisher, source: str) -> None:
        self._publisher = publisher
        self._source = source

    async def report(
        self,
        document: FencedDocument,
        status: Status,
        message: str,
        metadata: dict[str, JsonValue] | None = None,
        *,
        progress: int = 0,
    ) -> None:
        """Append one status; ``progress`` tells repetitions of ``parsing`` and ``embedding`` apart."""
        event = StatusEvent.now(
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
        await self._publisher.event(event)
        log.info("status", document_id=document.document_id, attempt=document.attempt, status=status.value)

    async def failed(self, document: FencedDocument, failure: DocumentFailed, stage: Stage) -> None:
        """Append the terminal ``failed`` with its reason, for people and for programs."""
        details: dict[str, JsonValue] = {
            "error": failure.message,
            "code": failure.code.value,
            "stage": stage.value,
            "retryable": failure.retryable,
        }
        await self.report(document, Status.FAILED, failure.message, details)
