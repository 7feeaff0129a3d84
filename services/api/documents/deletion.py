"""Removes documents: first the mark that fences work off, then the bytes, the event and the rows."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.events import DocumentDeleted
from services.api.access.caller import Caller
from services.api.documents.catalog import NoSuchDocument
from services.api.documents.owners import note
from services.lifecycle.document_statements import mark_deleted, remove_document
from services.runtime.messaging.publisher import Publisher
from services.runtime.object_store import ObjectStore


@dataclass(frozen=True)
class Deletion:
    """Deletes documents, and finishes deletions that were cut short."""

    engine: AsyncEngine
    objects: ObjectStore
    publisher: Publisher

    async def delete(self, caller: Caller, document_id: str) -> None:
        """Delete a document that the caller may see; raises NoSuchDocument, Unavailable."""
        async with self.engine.begin() as connection:
            row = await mark_deleted(connection, document_id, caller.visible())
            if row is None:
                raise NoSuchDocument
            if row.owner_id is not None:  # of whom reports that come later are as well
                await connection.execute(note(document_id, row.owner_id))
        await self.finish(document_id, row.owner_id, is_uploaded=row.sha256 is not None)

    async def finish(self, document_id: str, owner_id: str | None, *, is_uploaded: bool) -> None:
        """Do what follows the mark; safe to repeat, so that the sweeper ends what a crash left half done.

        The bytes go first: deleting makes room, also where the broker takes no event because its disk is full.
        """
        if is_uploaded:  # else its id is a producer's, and need not be a name that the store takes
            await self.objects.delete(document_id)
        await self.publisher.event(
            DocumentDeleted(document_id=document_id, owner_id=owner_id, timestamp=datetime.now(UTC))
        )
        async with self.engine.begin() as connection:
            await remove_document(connection, document_id)
