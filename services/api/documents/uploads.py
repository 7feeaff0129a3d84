"""Accepts a document: bytes to the object store, a row, then the event and the command that begin its way."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from uuid_utils import uuid7

from contracts.statuses import SENTENCES, Status
from services.api.access.caller import Caller
from services.api.documents.admission import Admission
from services.api.documents.multipart import IncomingFile
from services.api.http.problems import Problem
from services.lifecycle.attempts import open_next_attempt, start_attempt
from services.lifecycle.document_attempt import DocumentAttempt
from services.lifecycle.status_reporter import StatusReporter
from services.runtime.database.tables import documents, upload_reservations
from services.runtime.errors import Superseded, Unavailable
from services.runtime.messaging.publisher import Publisher
from services.runtime.object_store import ObjectStore
from services.runtime.process.asyncio_guards import forget

DATABASE_SECONDS = 2.0
"""How long an upload waits for the database before its body is read."""


@dataclass(frozen=True)
class Uploads:
    """What accepting documents works with."""

    engine: AsyncEngine
    objects: ObjectStore
    publisher: Publisher
    reporter: StatusReporter
    admission: Admission
    upload_seconds: float

    async def accept(self, file: IncomingFile, caller: Caller) -> tuple[str, bool]:
        """Store a file and begin its way; the document's id, and whether it is new.

        The same bytes by the same owner give the document that is there already. Raises Problem for a file
        that is refused, Unavailable when a dependency is away: before the body is read if that is known by
        then. Nothing is left behind then, or the sweeper removes it.
        """
        self.admission.check()
        document_id = str(uuid7())
        await self._reserve(document_id)
        await self._store(document_id, file)
        document = DocumentAttempt(
            document_id, 1, caller.owner_id, file.filename, file.file_type, file.size, is_done=False
        )
        existing = await self._insert(document, file.sha256)
        if existing:
            await forget_upload(self.engine, self.objects, document_id)
            return existing, False
        await self._launch_or_withdraw(document)
        return document_id, True

    async def begin_again(self, document_id: str, attempt: int) -> None:
        """Start the attempt after ``attempt``; raises Problem 409 when another has begun meanwhile."""
        try:
            document = await open_next_attempt(self.engine, document_id, ended=attempt)
        except Superseded as error:
            raise Problem(409, "The document is being processed.") from error
        await start_attempt(self.engine, self.publisher, self.reporter, document)

    async def _reserve(self, document_id: str) -> None:
        reserving = asyncio.ensure_future(self._insert_reservation(document_id))
        # Not ``asyncio.timeout``: psycopg takes up to 10 s to cancel what a frozen server does not answer.
        await asyncio.wait([reserving], timeout=DATABASE_SECONDS)
        if not reserving.done():
            reserving.add_done_callback(forget)
            reserving.cancel()
            raise Unavailable("database", "no answer in time")
        reserving.result()

    async def _insert_reservation(self, document_id: str) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(insert(upload_reservations).values(document_id=document_id))

    async def _store(self, document_id: str, file: IncomingFile) -> None:
        try:
            async with asyncio.timeout(self.upload_seconds):
                await self.objects.put(document_id, file.body())
        except TimeoutError as error:
            raise Problem(408, f"The upload took more than {self.upload_seconds:.0f} seconds.") from error
        except Problem:
            await forget_upload(self.engine, self.objects, document_id)
            raise

    async def _insert(self, document: DocumentAttempt, sha256: str) -> str | None:
        """Insert the row, or return the id of the document that has this owner and content already."""
        while True:
            async with self.engine.begin() as connection:
                if await _insert_row(connection, document, sha256):
                    await _use_reservation(connection, document.document_id)
                    return None
                existing = await _find_content(connection, document.owner_id, sha256)
                if existing:  # else it was deleted in between
                    return existing

    async def _launch_or_withdraw(self, document: DocumentAttempt) -> None:
        try:
            await start_attempt(self.engine, self.publisher, self.reporter, document)
        except Unavailable:
            await withdraw(self.engine, document)
            raise


async def withdraw(engine: AsyncEngine, document: DocumentAttempt) -> None:
    """Mark a document that the broker did not take as deleted; the uploader is told to come back.

    Its first event, or its command, may be with the broker all the same: the sweeper says that it is deleted, and
    removes the rest.
    """
    mark = update(documents).where(documents.c.document_id == document.document_id)
    async with engine.begin() as connection:
        await connection.execute(mark.values(deleted_at=func.now()))


async def forget_upload(engine: AsyncEngine, objects: ObjectStore, document_id: str) -> None:
    """Remove the bytes of an upload that became no document."""
    await objects.delete(document_id)
    async with engine.begin() as connection:
        await connection.execute(
            delete(upload_reservations).where(upload_reservations.c.document_id == document_id)
        )


async def _use_reservation(connection: AsyncConnection, document_id: str) -> None:
    used = delete(upload_reservations).where(upload_reservations.c.document_id == document_id)
    if (await connection.execute(used)).rowcount != 1:
        raise Unavailable("object store", "the upload took so long that its bytes were removed")


async def _insert_row(connection: AsyncConnection, document: DocumentAttempt, sha256: str) -> bool:
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
            message=SENTENCES[Status.PARSING_STARTED],
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
