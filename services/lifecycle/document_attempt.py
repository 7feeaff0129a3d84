"""The attempt that a stage works on, and the lock that keeps its work from outliving it."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum

from sqlalchemy import bindparam, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from contracts import stages
from contracts.lanes import Lane
from contracts.stages import StageSpec
from contracts.statuses import Status
from services.runtime.database.tables import IS_ALIVE, IS_UPLOADED, documents
from services.runtime.errors import Superseded


class Lock(Enum):
    """A lock of a document's row. All three hold off who deletes, starts anew or fails the document.

    Who ends it as embedded takes WRITING, and is held off by all but SHARED.
    """

    SHARED = (True, True)
    """``FOR KEY SHARE``: beside others in here, and beside the projector's updates of the same row."""
    WRITING = (False, True)
    """``FOR NO KEY UPDATE``: one at a time, beside those who share; the row may be written."""
    EXCLUSIVE = (False, False)
    """``FOR UPDATE``: waits for all others in here."""


@dataclass(frozen=True)
class DocumentAttempt:
    """The attempt that a stage works on, and what it needs to know of the document."""

    document_id: str
    attempt: int
    owner_id: str | None
    filename: str
    file_type: str
    size: int
    is_done: bool = False
    """True when the outcome of this attempt has been decided already."""
    lane: str | None = None
    """That of its commands; None where none was decided, as by a release before lanes: the first."""

    @property
    def key(self) -> tuple[str, int]:
        """The document's id and the attempt's number."""
        return self.document_id, self.attempt

    @property
    def is_bulk(self) -> bool:
        """True when its commands are bulk."""
        return self.lane == Lane.BULK


_CURRENT = select(
    documents.c.attempt,
    documents.c.owner_id,
    documents.c.filename,
    documents.c.file_type,
    documents.c.size,
    documents.c.outcome.is_not(None).label("is_done"),
    documents.c.lane,
).where(documents.c.document_id == bindparam("document_id"), IS_ALIVE, IS_UPLOADED)
_STATEMENTS = {
    lock: _CURRENT.with_for_update(read=read, key_share=key_share)
    for lock in Lock
    for read, key_share in (lock.value,)
}


_WANTED = select(documents.c.document_id, documents.c.attempt).where(
    tuple_(documents.c.document_id, documents.c.attempt).in_(bindparam("keys", expanding=True)),
    IS_ALIVE,
    IS_UPLOADED,
    documents.c.outcome.is_(None),
)
_STATUS = select(documents.c.status, documents.c.status_attempt).where(
    documents.c.document_id == bindparam("document_id")
)


async def wanted_among(connection: AsyncConnection, keys: Iterable[tuple[str, int]]) -> set[tuple[str, int]]:
    """Return which attempts are still to be worked on: current, of documents that are alive, without an outcome.

    Nothing is locked, so that may be over by the time that it is told.
    """
    rows = await connection.execute(_WANTED, {"keys": list(keys)})
    return {(document_id, attempt) for document_id, attempt in rows}


async def awaited_stage(connection: AsyncConnection, attempt: DocumentAttempt) -> StageSpec:
    """Return the stage that an attempt is in or waits for, as far as the table has heard."""
    row = (await connection.execute(_STATUS, {"document_id": attempt.document_id})).one()
    return (
        stages.awaited_after(Status(row.status)) if row.status_attempt == attempt.attempt else stages.first()
    )


@asynccontextmanager
async def locked_attempt(
    engine: AsyncEngine,
    document_id: str,
    attempt: int | None,
    *,
    lock: Lock = Lock.SHARED,
    even_if_done: bool = False,
) -> AsyncIterator[tuple[AsyncConnection, DocumentAttempt]]:
    """Open a transaction during which the document can be neither deleted, nor started anew, nor failed.

    ``attempt`` is None for the current one. Raises Superseded where that has happened already; one that has
    only ended is let through with ``even_if_done``. An event that is published inside is in the log before whatever
    the lock holds off.
    """
    async with engine.begin() as connection:
        row = (await connection.execute(_STATEMENTS[lock], {"document_id": document_id})).one_or_none()
        is_current = row is not None and attempt in (None, row.attempt)
        if row is None or not is_current or (row.is_done and not even_if_done):
            raise Superseded(f"{document_id} attempt {attempt}")
        yield connection, DocumentAttempt(document_id, *row)
