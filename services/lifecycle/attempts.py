"""Starts an attempt at a document: the first, after an upload, and each further one."""

from contextlib import suppress
from datetime import UTC, datetime

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts import stages
from contracts.statuses import SENTENCES, Status
from services.lifecycle.document_attempt import DocumentAttempt, locked_attempt
from services.lifecycle.status_reporter import StatusReporter
from services.runtime.database.tables import documents
from services.runtime.errors import Superseded
from services.runtime.messaging.publisher import Publisher


async def open_next_attempt(engine: AsyncEngine, document_id: str, *, ended: int) -> DocumentAttempt:
    """Make the attempt after ``ended`` the current one, which fences the older ones off.

    Raises Superseded when another attempt has begun meanwhile, this one has not ended, or the document was
    deleted.
    """
    now = datetime.now(UTC)
    lock = (
        # The end is looked at once the row is locked, and no condition of the lock: whoever announces it has the
        # row until then, and a row that does not fit the conditions yet is not waited for.
        select(documents.c.announced_at)
        .where(documents.c.document_id == document_id, documents.c.attempt == ended)
        .where(documents.c.deleted_at.is_(None), documents.c.sha256.is_not(None))
        .with_for_update()
    )
    bump = (
        update(documents)
        .where(documents.c.document_id == document_id)
        .values(
            attempt=ended + 1,
            attempted_at=now,
            commanded_at=None,
            ending=None,
            announced_at=None,
            reminders=0,
            reminded_at=None,
        )
        .returning(documents.c.owner_id, documents.c.filename, documents.c.file_type, documents.c.size)
    )
    async with engine.begin() as connection:
        if await connection.scalar(lock) is None:
            raise Superseded(f"{document_id} attempt {ended}")
        row = (await connection.execute(bump)).one()
    owner_id, filename, file_type, size = row
    return DocumentAttempt(document_id, ended + 1, owner_id, filename, file_type, size, is_done=False)


async def start_attempt(
    engine: AsyncEngine, publisher: Publisher, reporter: StatusReporter, document: DocumentAttempt
) -> None:
    """Say that parsing has been asked for, ask for it, and note that both are with the broker.

    The event comes first, so that no event of the parser can precede it, and neither comes for a document that was
    deleted, or an attempt that ended, meanwhile. A crash on the way leaves ``commanded_at`` null, and the sweeper
    launches the document again. Raises Unavailable.
    """
    with suppress(Superseded):
        async with locked_attempt(engine, document.document_id, document.attempt):
            await reporter.report(
                document,
                Status.PARSING_STARTED,
                SENTENCES[Status.PARSING_STARTED],
                {"size": document.size},
            )
        await send_command(engine, publisher, document)


async def send_command(engine: AsyncEngine, publisher: Publisher, document: DocumentAttempt) -> None:
    """Ask the parser for the document's current attempt. Raises Unavailable."""
    for one in stages.first().command.for_attempt(document.document_id, document.attempt):
        await publisher.command(one)
    note = (
        update(documents)
        .where(documents.c.document_id == document.document_id, documents.c.attempt == document.attempt)
        .values(commanded_at=func.now())
    )
    async with engine.begin() as connection:
        await connection.execute(note)
