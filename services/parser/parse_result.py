"""What parsing yields, in PostgreSQL: one row per attempt and one per chunk, written together."""

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Delete, delete, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.commands import Batching
from services.lifecycle.document_attempt import DocumentAttempt
from services.parser.parsed_document import ParsedDocument
from services.runtime.database.tables import attempts, chunks, documents, embedded_batches


@dataclass(frozen=True)
class ParseResult:
    """The counts of a finished parse; ``batches`` of ``batch_chunks`` chunks wait to be embedded."""

    page_count: int | None
    chunk_count: int
    token_count: int
    batch_chunks: int
    batches: int
    details: dict[str, object]
    embedding_has_started: bool

    @property
    def batching(self) -> Batching:
        """How its chunks are shared out."""
        return Batching(self.chunk_count, self.batch_chunks)


async def read_result(
    connection: AsyncConnection, document: DocumentAttempt, *, lock: bool = False
) -> ParseResult | None:
    """The result of this attempt, if it was parsed already; ``lock`` holds the embedder's first step off."""
    query = select(
        attempts.c.page_count,
        attempts.c.chunk_count,
        attempts.c.token_count,
        attempts.c.batch_chunks,
        attempts.c.batches,
        attempts.c.details,
        attempts.c.embedding_started_at.is_not(None),
    ).where(attempts.c.document_id == document.document_id, attempts.c.attempt == document.attempt)
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    return None if row is None else ParseResult(*row)


async def write_result(
    connection: AsyncConnection,
    document: DocumentAttempt,
    parsed: ParsedDocument,
    started_at: datetime,
    batch_chunks: int,
) -> None:
    """Store the chunks of an attempt; those of attempts that ended without being embedded are removed.

    Nothing happens when another delivery of the same command has stored them meanwhile.
    """
    await connection.execute(_delete_abandoned(document))
    stored = await connection.execute(
        upsert(attempts)
        .values(
            document_id=document.document_id,
            attempt=document.attempt,
            page_count=parsed.page_count,
            chunk_count=len(parsed.chunks),
            token_count=parsed.token_count,
            batch_chunks=batch_chunks,
            batches=-(-len(parsed.chunks) // batch_chunks),
            details=_details(parsed),
            started_at=started_at,
            parsed_at=func.now(),
        )
        .on_conflict_do_nothing()
        .returning(attempts.c.attempt)
    )
    if stored.one_or_none() is None:
        return
    key = {"document_id": document.document_id, "attempt": document.attempt}
    await connection.execute(insert(chunks), [{**key, **asdict(chunk)} for chunk in parsed.chunks])


async def waiting_batches(
    connection: AsyncConnection, document: DocumentAttempt, result: ParseResult
) -> set[int]:
    """The numbers of the batches that are not embedded yet."""
    query = select(embedded_batches.c.batch).where(
        embedded_batches.c.document_id == document.document_id,
        embedded_batches.c.attempt == document.attempt,
    )
    done = set((await connection.execute(query)).scalars())
    # When all are done and nobody said so, one of them has to be delivered again for somebody to look.
    return set(range(1, result.batches + 1)) - done or {result.batches}


def _details(parsed: ParsedDocument) -> dict[str, object]:
    failed = {"pagesFailed": list(parsed.pages_failed)} if parsed.pages_failed else {}
    return {**parsed.metadata, **failed}


def _delete_abandoned(document: DocumentAttempt) -> Delete:
    visible = select(documents.c.visible_attempt).where(documents.c.document_id == document.document_id)
    return delete(attempts).where(
        attempts.c.document_id == document.document_id,
        attempts.c.attempt < document.attempt,
        attempts.c.attempt.is_distinct_from(visible.scalar_subquery()),
    )
