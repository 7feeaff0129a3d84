"""What an operation does to one document; safe to repeat, and nothing where the document has moved on meanwhile."""

from contextlib import suppress
from dataclasses import dataclass

from contracts.document_calls import OperationKind
from contracts.lanes import Priority
from services.api.access.caller import LOCAL_USER
from services.api.documents.catalog import NoSuchDocument
from services.api.documents.deletion import Deletion
from services.api.documents.uploads import DocumentBusy, Uploads
from services.api.operations.operation import Item
from services.lifecycle.outcome import cancel, publish_outcome
from services.lifecycle.status_reporter import StatusReporter
from services.runtime.errors import Superseded


@dataclass(frozen=True)
class DocumentSteps:
    """Whom the operation may touch was asked when it began. Methods raise Unavailable, NoRoom."""

    uploads: Uploads
    deletion: Deletion
    reporter: StatusReporter

    async def take(self, kind: OperationKind, item: Item) -> None:
        """Do to a document what the operation is for."""
        match kind:
            case OperationKind.CANCEL:
                await self._cancel(item)
            case OperationKind.RETRY:
                await self._begin_again(item)
            case OperationKind.DELETE:
                await self._delete(item)

    async def _cancel(self, item: Item) -> None:
        # The attempt that was under way then; one that a person has begun since is not meant.
        with suppress(Superseded):
            await cancel(self.uploads.engine, self.reporter, item.document_id, item.attempt)
            await publish_outcome(self.uploads.engine, self.reporter, item.document_id, item.attempt)

    async def _begin_again(self, item: Item) -> None:
        # Nobody waits for these one by one, so they stand behind what somebody waits for.
        with suppress(DocumentBusy):
            await self.uploads.begin_again(item.document_id, item.attempt, Priority.BULK)

    async def _delete(self, item: Item) -> None:
        with suppress(NoSuchDocument):
            await self.deletion.delete(LOCAL_USER, item.document_id)
