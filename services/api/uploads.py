"""Accepts a document: bytes to the object store, a row, then the event and the command that begin its way."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from uuid_utils import uuid7

from contracts.statuses import Status
from services.api.access import Caller
from services.api.multipart import IncomingFile
from services.api.problems import Problem
from services.runtime.attempts import launch, open_next_attempt
from services.runtime.availability import Unavailable
from services.runtime.fence import FencedDocument, Superseded
from services.runtime.objects import Objects
from services.runtime.publisher import Publisher
from services.runtime.reporter import Reporter
from services.runtime.tables import documents


@dataclass(frozen=True)
class Uploads:
    """What accepting documents works with."""

    engine: AsyncEngine
    objects: Objects
    publisher: Publisher
    reporter: Reporter

    async def accept(self, file: IncomingFile, caller: Caller) -> tuple[str, bool]:
        """Store a file and begin its way; the document's id, and whether it is new.

        The same bytes by the same owner give the document that is there already. Raises Problem for a file
        that is refused, Unavailable when the broker does not take the command; then nothing is left behind.
        """
        document_id = str(uuid7())
        await self.objects.put(document_id, file.body())
        document = FencedDocument(
            document_id, 1, caller.owner_id, file.filename, file.file_type, file.size, is_done=False
        )
        try:
            existing = await self._insert(document, file.sha256)
        except BaseException:
            await self.objects.delete(document_id)
            raise
        if existing:
            await self.objects.delete(document_id)
            return existing, False
        await self._launch_or_forget(document)
        return document_id, True

    async def begin_again(self, document_id: str, attempt: int) -> None:
        """Start the attempt after ``attempt``; raises Problem 409 when another has begun meanwhile."""
        try:
            document = await open_next_attempt(self.engine, document_id, ended=attempt)
        except Superseded as error:
            raise Problem(409, "The document is being processed.") from error
        await launch(self.engine, self.publisher, self.reporter, document)

    async def _insert(self, document: FencedDocument, sha256: str) -> str | None:
        """Insert the row, or return the id of the document that has this owner and content already."""
        while True:
            async with self.engine.begin() as connection:
                if await _insert_row(connection, document, sha256):
                    return None
                existing = await _find_content(connection, document.owner_id, sha256)
                if existing:  # else it was deleted in between
                    return existing

    async def _launch_or_forget(self, document: FencedDocument) -> None:
        try:
            await launch(self.engine, self.publisher, self.reporter, document)
        except Unavailable:
            await withdraw(self.engine, document)
            await self.objects.delete(document.document_id)
            raise


async def withdraw(engine: AsyncEngine, document: FencedDocument) -> None:
    """Remove the row of a document that the broker did not take; the uploader is told so."""
    async with engine.begin() as connection:
        await connection.execute(delete(documents).where(documents.c.document_id == document.document_id))


async def _insert_row(connection: AsyncConnection, document: FencedDocument, sha256: str) -> bool:
    now = datetime.now(UTC)
    statement = (
        insert(documents)
        .values(
            document_id=document.document_id,
            owner_id=document.owner_id,
            filename=document.filename,
            file_type=document.file_type,
            size=document.size,
            sha256=sha256,
            created_at=now,
            attempted_at=now,
            status=Status.PARSING_STARTED.value,
            status_attempt=1,
            message="The document waits to be parsed.",
            updated_at=now,
        )
        .on_conflict_do_nothing()
        .returning(documents.c.document_id)
    )
    return (await connection.execute(statement)).one_or_none() is not None


async def _find_content(connection: AsyncConnection, owner_id: str | None, sha256: str) -> str | None:
    query = select(documents.c.document_id).where(
        func.coalesce(documents.c.owner_id, "") == (owner_id or ""),
        documents.c.sha256 == sha256,
        documents.c.deleted_at.is_(None),
    )
    return (await connection.execute(query)).scalar_one_or_none()
