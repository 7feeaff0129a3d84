"""Keeps work for a document that was deleted or started anew from leaving anything behind."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from contracts.statuses import TERMINAL
from services.runtime.tables import documents


class Superseded(Exception):
    """The document was deleted, or a newer attempt has begun; whoever works on it stops quietly."""


@dataclass(frozen=True)
class FencedDocument:
    """What a stage needs to know of the document that it works on."""

    document_id: str
    attempt: int
    owner_id: str | None
    filename: str
    file_type: str
    size: int
    is_done: bool = False
    """Whether this attempt has reached a terminal status already."""


_DONE = and_(
    documents.c.status_attempt == documents.c.attempt,
    documents.c.status.in_([status.value for status in TERMINAL]),
)


@asynccontextmanager
async def fenced(
    engine: AsyncEngine, document_id: str, attempt: int | None
) -> AsyncIterator[tuple[AsyncConnection, FencedDocument]]:
    """A transaction during which the document can be neither deleted nor started anew.

    Raises Superseded where either has happened already. The lock is ``FOR KEY SHARE``: it holds off the
    ``FOR UPDATE`` of delete and retry, but not the projector's updates of the same row. An event that is
    published inside is in the log before a deletion is.
    """
    query = (
        select(
            documents.c.attempt,
            documents.c.owner_id,
            documents.c.filename,
            documents.c.file_type,
            documents.c.size,
            _DONE.label("is_done"),
        )
        .where(documents.c.document_id == document_id, documents.c.deleted_at.is_(None))
        .where(documents.c.sha256.is_not(None))
        .with_for_update(key_share=True, read=True)
    )
    if attempt is not None:
        query = query.where(documents.c.attempt == attempt)
    async with engine.begin() as connection:
        row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise Superseded(f"{document_id} attempt {attempt}")
        yield connection, FencedDocument(document_id, *row)
