"""Accepts a document: bytes to the object store, a row, then the event and the command that begin its way."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import bindparam, delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils import uuid7

from contracts.lanes import Priority
from services.api.access.caller import Caller
from services.api.documents.admission import Admission
from services.api.documents.multipart import IncomingFile
from services.api.documents.views import DocumentView, view_of_upload
from services.api.refusals import Conflict, Refused, TooSlow
from services.lifecycle.attempts import open_next_attempt, start_attempt
from services.lifecycle.document_attempt import DocumentAttempt
from services.lifecycle.document_statements import insert_uploaded, mark_deleted
from services.lifecycle.status_reporter import StatusReporter
from services.lifecycle.turn_statements import Shares
from services.runtime.database.engine import autocommit
from services.runtime.database.tables import upload_reservations
from services.runtime.errors import NoRoom, Superseded, Unavailable
from services.runtime.object_store import ObjectStore
from services.runtime.process.asyncio_guards import forget
from services.runtime.process.disk_reserve import DiskReserve

DATABASE_SECONDS = 2.0
"""An upload waits so long for the database before its body is read."""

_RESERVE = insert(upload_reservations).values(document_id=bindparam("document_id"))


class DocumentBusy(Conflict):
    """An attempt is under way."""

    detail = "The document is being processed."


@dataclass(frozen=True)
class Uploads:
    """Accepts files, and starts documents again."""

    engine: AsyncEngine
    objects: ObjectStore
    reporter: StatusReporter
    admission: Admission
    disk: DiskReserve
    upload_seconds: float
    shares: Shares

    async def accept(
        self, file: IncomingFile, caller: Caller, priority: Priority = Priority.NORMAL
    ) -> tuple[str, DocumentView | None]:
        """Store a file and start its first attempt; return the document's id and, if it is new, the document.

        The same bytes by the same owner give the document that is there already. Raises Refused for a file
        that is refused, Unavailable when a dependency is away, NoRoom when the disk has no place for it: before
        the body is read if that is known by then. Nothing is left behind then, or the sweeper removes it.
        """
        self.admission.check()
        with self.disk.promise(file.declared_size or 0):
            return await self._take(file, caller, priority)

    async def _take(
        self, file: IncomingFile, caller: Caller, priority: Priority
    ) -> tuple[str, DocumentView | None]:
        document_id = str(uuid7())
        await self._reserve(document_id)
        await self._store(document_id, file)
        attempt = DocumentAttempt(document_id, 1, caller.owner_id, file.filename, file.file_type, file.size)
        now = datetime.now(UTC)
        existing = await self._insert(attempt, file.sha256, now, priority)
        if existing:
            await forget_upload(self.engine, self.objects, document_id)
            return existing, None
        await self._start_or_withdraw(attempt)
        return document_id, view_of_upload(attempt, file.sha256, now, priority)

    async def begin_again(self, document_id: str, attempt: int, priority: Priority | None = None) -> None:
        """Start the attempt after ``attempt``; raises DocumentBusy when another has begun meanwhile, NoRoom.

        ``priority`` is None where it stays as it is.
        """
        self.disk.require()
        try:
            opened = await open_next_attempt(self.engine, document_id, ended=attempt, priority=priority)
        except Superseded as error:
            raise DocumentBusy from error
        await start_attempt(self.engine, self.reporter, opened, shares=self.shares)

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
        async with autocommit(self.engine).connect() as connection:
            await connection.execute(_RESERVE, {"document_id": document_id})

    async def _store(self, document_id: str, file: IncomingFile) -> None:
        try:
            async with asyncio.timeout(self.upload_seconds):
                await self.objects.put(document_id, self._while_there_is_room(file))
        except TimeoutError as error:
            raise TooSlow(f"The upload took more than {self.upload_seconds:.0f} seconds.") from error
        except (Refused, NoRoom):
            await forget_upload(self.engine, self.objects, document_id)
            raise

    async def _while_there_is_room(self, file: IncomingFile) -> AsyncIterator[bytes]:
        async for piece in file.body():
            if file.declared_size is None:  # else its room was promised
                self.disk.require()
            yield piece

    async def _insert(
        self, attempt: DocumentAttempt, sha256: str, now: datetime, priority: Priority
    ) -> str | None:
        """Insert the row, or return the id of the document that has this owner and content already."""
        while True:
            async with autocommit(self.engine).connect() as connection:
                inserted = await insert_uploaded(connection, attempt, sha256, now, priority)
            if not inserted.is_reserved:
                raise Unavailable("object store", "the upload took so long that its bytes were removed")
            if inserted.is_stored:
                return None
            if inserted.existing:  # else it is not committed yet, or was deleted in between
                return inserted.existing

    async def _start_or_withdraw(self, attempt: DocumentAttempt) -> None:
        try:
            await start_attempt(self.engine, self.reporter, attempt, shares=self.shares)
        except Unavailable:
            await withdraw(self.engine, attempt.document_id)
            raise


async def withdraw(engine: AsyncEngine, document_id: str) -> None:
    """Mark a document that the broker did not take as deleted; the uploader is told to come back.

    Its first event, or its command, may be with the broker all the same: the sweeper says that it is deleted, and
    removes the rest.
    """
    async with engine.begin() as connection:
        await mark_deleted(connection, document_id)


async def forget_upload(engine: AsyncEngine, objects: ObjectStore, document_id: str) -> None:
    """Remove the bytes of an upload that became no document."""
    await objects.delete(document_id)
    async with engine.begin() as connection:
        await connection.execute(
            delete(upload_reservations).where(upload_reservations.c.document_id == document_id)
        )
