"""Cancels what is processed: it ends as ``failed`` with the code ``cancelled``, and can be retried."""

from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from services.api.documents.catalog import NoSuchDocument
from services.api.refusals import Conflict
from services.lifecycle.outcome import cancel, publish_outcome
from services.lifecycle.status_reporter import StatusReporter
from services.runtime.errors import Superseded, Unavailable


class DocumentEnded(Conflict):
    """Nothing is under way that could be cancelled."""

    detail = "The document is not being processed."


@dataclass(frozen=True)
class Cancellation:
    """Ends attempts that are under way; whoever works on one stops within a second."""

    engine: AsyncEngine
    reporter: StatusReporter

    async def cancel(self, document_id: str) -> None:
        """Cancel the attempt that is under way; raises NoSuchDocument, DocumentEnded."""
        try:
            attempt = await cancel(self.engine, self.reporter, document_id)
        except Superseded as error:
            raise NoSuchDocument from error
        if attempt.is_done:
            raise DocumentEnded
        # Decided it is: what the broker does not take now is published by the sweeper.
        with suppress(Unavailable):
            await publish_outcome(self.engine, self.reporter, *attempt.key)
