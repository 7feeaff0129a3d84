"""The embedder's statements: each batch is counted once, however often it is delivered."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.commands import EmbedChunks
from services.lifecycle.document_attempt import DocumentAttempt
from services.runtime.database.tables import attempts, chunks, documents, embedded_batches, embeddings


@dataclass(frozen=True)
class Progress:
    """How far the embedding of an attempt has come."""

    embedded_count: int
    chunk_count: int
    is_complete: bool
    started_at: datetime
    batch_chunks: int

    def has_batch(self, command: EmbedChunks) -> bool:
        """Whether a command's bounds are those of a batch of this attempt."""
        first = (command.batch - 1) * self.batch_chunks
        count = min(self.batch_chunks, self.chunk_count - first)
        return (command.first, command.count) == (first, count)


_PROGRESS = (
    attempts.c.embedded_count,
    attempts.c.chunk_count,
    (attempts.c.batches_done == attempts.c.batches).label("is_complete"),
    attempts.c.started_at,
    attempts.c.batch_chunks,
)


async def read_texts(
    connection: AsyncConnection, document: DocumentAttempt, command: EmbedChunks
) -> list[str]:
    """The texts of a batch, in the order of their index."""
    query = (
        select(chunks.c.text)
        .where(chunks.c.document_id == document.document_id, chunks.c.attempt == document.attempt)
        .where(chunks.c.index >= command.first, chunks.c.index < command.first + command.count)
        .order_by(chunks.c.index)
    )
    return list((await connection.execute(query)).scalars())


async def read_progress(connection: AsyncConnection, document: DocumentAttempt) -> Progress | None:
    """How far this attempt is, or None when it has no chunks."""
    row = (await connection.execute(select(*_PROGRESS).where(*_is(document)))).one_or_none()
    return None if row is None else Progress(*row)


async def is_embedded(connection: AsyncConnection, document: DocumentAttempt, batch: int) -> bool:
    """Whether this batch was counted already."""
    query = select(embedded_batches.c.batch).where(
        embedded_batches.c.document_id == document.document_id,
        embedded_batches.c.attempt == document.attempt,
        embedded_batches.c.batch == batch,
    )
    return (await connection.execute(query)).one_or_none() is not None


async def begin_embedding(connection: AsyncConnection, document: DocumentAttempt) -> bool:
    """Note the first step of embedding; True for the one caller that is first. Others wait for it."""
    statement = (
        update(attempts)
        .where(*_is(document), attempts.c.embedding_started_at.is_(None))
        .values(embedding_started_at=func.now())
        .returning(attempts.c.attempt)
    )
    return (await connection.execute(statement)).one_or_none() is not None


async def write_batch(
    connection: AsyncConnection,
    document: DocumentAttempt,
    command: EmbedChunks,
    model: str,
    vectors: NDArray[np.float32],
) -> Progress | None:
    """Store a batch's vectors (count, dimensions) and count it; None when it was counted before.

    The update of the attempt's one row serialises batches that end together, so that exactly one of them sees
    itself complete the document (counting rows under READ COMMITTED would let both or neither).
    """
    first_time = await connection.execute(
        upsert(embedded_batches)
        .values(document_id=document.document_id, attempt=document.attempt, batch=command.batch)
        .on_conflict_do_nothing()
        .returning(embedded_batches.c.batch)
    )
    if first_time.one_or_none() is None:
        return None
    key = {"document_id": document.document_id, "attempt": document.attempt, "model": model}
    rows = [{**key, "index": command.first + row, "embedding": vector} for row, vector in enumerate(vectors)]
    await connection.execute(insert(embeddings), rows)
    counted = await connection.execute(
        update(attempts)
        .where(*_is(document))
        .values(
            batches_done=attempts.c.batches_done + 1,
            embedded_count=attempts.c.embedded_count + len(rows),
        )
        .returning(*_PROGRESS)
    )
    return Progress(*counted.one())


async def make_visible(connection: AsyncConnection, document: DocumentAttempt) -> None:
    """Let search see this attempt, and remove the earlier ones, in the same moment."""
    await connection.execute(
        update(documents)
        .where(documents.c.document_id == document.document_id)
        .values(visible_attempt=document.attempt)
    )
    await connection.execute(
        delete(attempts).where(
            attempts.c.document_id == document.document_id, attempts.c.attempt < document.attempt
        )
    )


def _is(document: DocumentAttempt) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return (attempts.c.document_id == document.document_id, attempts.c.attempt == document.attempt)
