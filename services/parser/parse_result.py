"""The result of parsing, as it stands in PostgreSQL."""

from dataclasses import dataclass

from sqlalchemy import bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.commands import Batching
from services.lifecycle.document_attempt import DocumentAttempt
from services.runtime.database.tables import attempts


@dataclass(frozen=True)
class ParseResult:
    """The counts of a finished parse, and the numbers of its batches that are embedded already."""

    page_count: int | None
    chunk_count: int
    token_count: int
    batch_chunks: int
    details: dict[str, object]
    embedding_has_started: bool
    embedded_batches: list[int]

    @property
    def batching(self) -> Batching:
        """The sharing out of its chunks."""
        return Batching(self.chunk_count, self.batch_chunks)

    @property
    def waiting_batches(self) -> set[int]:
        """The numbers of the batches that are to be embedded, at least one.

        When all are embedded and nobody said so, one of them has to be delivered again for somebody to look.
        """
        batches = self.batching.batches
        return set(range(1, batches + 1)) - set(self.embedded_batches) or {batches}


_EMBEDDED = text(
    "ARRAY(SELECT batch FROM embedded_batches done"
    " WHERE done.document_id = attempts.document_id AND done.attempt = attempts.attempt)"
)
_READ = select(
    attempts.c.page_count,
    attempts.c.chunk_count,
    attempts.c.token_count,
    attempts.c.batch_chunks,
    attempts.c.details,
    attempts.c.embedding_started_at.is_not(None),
    _EMBEDDED,
).where(attempts.c.document_id == bindparam("document_id"), attempts.c.attempt == bindparam("number"))
_READ_LOCKED = _READ.with_for_update()


async def read_result(
    connection: AsyncConnection, attempt: DocumentAttempt, *, lock: bool = False
) -> ParseResult | None:
    """The result of this attempt, if it was parsed already; ``lock`` holds the embedder's first step off."""
    values = {"document_id": attempt.document_id, "number": attempt.attempt}
    row = (await connection.execute(_READ_LOCKED if lock else _READ, values)).one_or_none()
    return None if row is None else ParseResult(*row)
