"""Keeps work for a document that was deleted, started anew or ended from leaving anything behind."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.runtime.database.tables import documents
from services.runtime.errors import Superseded


@dataclass(frozen=True)
class DocumentAttempt:
    """What a stage needs to know of the document that it works on."""

    document_id: str
    attempt: int
    owner_id: str | None
    filename: str
    file_type: str
    size: int
    is_done: bool = False
    """Whether the end of this attempt has been decided already."""


@asynccontextmanager
async def locked_attempt(
    engine: AsyncEngine,
    document_id: str,
    attempt: int | None,
    *,
    exclusive: bool = False,
    even_if_done: bool = False,
) -> AsyncIterator[tuple[AsyncConnection, DocumentAttempt]]:
    """A transaction during which the document can be neither deleted, nor started anew, nor ended.

    Raises Superseded where that has happened already; one that has only ended is let through with
    ``even_if_done``. The lock is ``FOR KEY SHARE``: it holds off the ``FOR UPDATE`` of delete, retry and end,
    but not the projector's updates of the same row. ``exclusive`` takes ``FOR UPDATE``, and so waits for all others
    in here. An event that is published inside is in the log before whatever the fence holds off.
    """
    query = (
        select(
            documents.c.attempt,
            documents.c.owner_id,
            documents.c.filename,
            documents.c.file_type,
            documents.c.size,
            documents.c.ending.is_not(None).label("is_done"),
        )
        .where(documents.c.document_id == document_id, documents.c.deleted_at.is_(None))
        .where(documents.c.sha256.is_not(None))
        .with_for_update(key_share=not exclusive, read=not exclusive)
    )
    if attempt is not None:
        query = query.where(documents.c.attempt == attempt)
    async with engine.begin() as connection:
        row = (await connection.execute(query)).one_or_none()
        if row is None or (row.is_done and not even_if_done):
            raise Superseded(f"{document_id} attempt {attempt}")
        yield connection, DocumentAttempt(document_id, *row)
