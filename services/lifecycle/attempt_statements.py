"""Every write of ``attempts``, ``chunks``, ``embeddings`` and ``embedded_batches``, each by its name.

Each is safe to repeat: a batch is counted once, however often it is delivered, and chunks are stored once, whoever
parses. What belongs together is one statement, and so one round trip.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, delete, text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.commands import Batching, EmbedChunks
from services.lifecycle.chunk import Chunk
from services.lifecycle.document_attempt import DocumentAttempt
from services.runtime.database.tables import IS_ALIVE, IS_UPLOADED, attempts

_THIS_ATTEMPT = "document_id = :document_id AND attempt = :attempt"

_STORE_PARSED = text(f"""
WITH this AS (
  SELECT document_id, attempt, visible_attempt FROM documents
  WHERE {_THIS_ATTEMPT} AND {IS_ALIVE} AND {IS_UPLOADED} AND outcome IS NULL FOR KEY SHARE
),
abandoned AS (  -- by attempts that ended without being embedded
  DELETE FROM attempts USING this
  WHERE attempts.document_id = this.document_id AND attempts.attempt < this.attempt
    AND attempts.attempt IS DISTINCT FROM this.visible_attempt
),
stored AS (
  INSERT INTO attempts (document_id, attempt, page_count, chunk_count, token_count, batch_chunks, batches, details,
    started_at)
  SELECT document_id, attempt, :page_count, :chunk_count, :token_count, :batch_chunks, :batches,
    CAST(:details AS jsonb), :started_at
  FROM this ON CONFLICT DO NOTHING RETURNING document_id, attempt
),
written AS (
  INSERT INTO chunks (document_id, attempt, text, token_count, page_start, page_end, headings, index)
  SELECT stored.document_id, stored.attempt, chunk.text, chunk.token_count, chunk.page_start, chunk.page_end,
    chunk.headings, chunk.number - 1
  FROM stored, unnest(CAST(:texts AS text[]), CAST(:token_counts AS int[]), CAST(:page_starts AS int[]),
    CAST(:page_ends AS int[]), CAST(:headings AS jsonb[]))
    WITH ORDINALITY AS chunk (text, token_count, page_start, page_end, headings, number)
)
SELECT count(*) FROM this
""")  # noqa: S608 - of constants

_PROGRESS = """embedded_count, chunk_count, batches_done = batches AS is_complete, started_at, batch_chunks"""

_BEGIN_BATCH = text(f"""
WITH begun AS (  -- others wait here for the one that is first
  UPDATE attempts SET embedding_started_at = now() WHERE {_THIS_ATTEMPT} AND embedding_started_at IS NULL
  RETURNING attempt
)
SELECT {_PROGRESS}, EXISTS (SELECT FROM begun) AS is_first,
  EXISTS (SELECT FROM embedded_batches WHERE {_THIS_ATTEMPT} AND batch = :batch) AS is_embedded,
  ARRAY(
    SELECT text FROM chunks WHERE {_THIS_ATTEMPT} AND index >= :first AND index < :first + :count ORDER BY index
  ) AS texts
FROM attempts WHERE {_THIS_ATTEMPT}
""")  # noqa: S608 - of constants

# The update of the attempt's one row serialises batches that end together, so that exactly one of them sees itself
# complete the document (counting rows under READ COMMITTED would let both or neither).
_STORE_BATCH = text(f"""
WITH counted AS (
  INSERT INTO embedded_batches (document_id, attempt, batch) VALUES (:document_id, :attempt, :batch)
  ON CONFLICT DO NOTHING RETURNING batch
),
written AS (
  INSERT INTO embeddings (document_id, attempt, model, index, embedding)
  SELECT :document_id, :attempt, :model, :first + vector.number - 1, vector.embedding
  FROM counted, unnest(CAST(:vectors AS vector[])) WITH ORDINALITY AS vector (embedding, number)
)
UPDATE attempts SET batches_done = batches_done + 1, embedded_count = embedded_count + :count
FROM counted WHERE {_THIS_ATTEMPT} RETURNING {_PROGRESS}
""")  # noqa: S608 - of constants

_READ_PROGRESS = text(f"SELECT {_PROGRESS} FROM attempts WHERE {_THIS_ATTEMPT}")  # noqa: S608 - of constants

_OF_DOCUMENT = attempts.c.document_id == bindparam("document_id")
_REMOVE = delete(attempts).where(_OF_DOCUMENT, attempts.c.attempt == bindparam("number"))
_REMOVE_OLDER = delete(attempts).where(_OF_DOCUMENT, attempts.c.attempt < bindparam("number"))


async def store_parsed(
    connection: AsyncConnection,
    attempt: DocumentAttempt,
    chunks: Sequence[Chunk],
    *,
    page_count: int | None,
    batching: Batching,
    details: dict[str, object],
    started_at: datetime,
) -> bool:
    """Store the chunks of an attempt unless they are; False where it has ended or the document was deleted.

    Those of attempts that ended without being embedded are removed.
    """
    values = {
        **_key(attempt),
        "page_count": page_count,
        "chunk_count": batching.chunk_count,
        "token_count": sum(chunk.token_count for chunk in chunks),
        "batch_chunks": batching.batch_chunks,
        "batches": batching.batches,
        "details": json.dumps(details),
        "started_at": started_at,
        "texts": [chunk.text for chunk in chunks],
        "token_counts": [chunk.token_count for chunk in chunks],
        "page_starts": [chunk.page_start for chunk in chunks],
        "page_ends": [chunk.page_end for chunk in chunks],
        "headings": [json.dumps(chunk.headings) for chunk in chunks],
    }
    return bool(await connection.scalar(_STORE_PARSED, values))


async def begin_batch(
    connection: AsyncConnection, attempt: DocumentAttempt, command: EmbedChunks
) -> Row[Any] | None:
    """Note that embedding has begun; the progress, whether this is the first step, and the texts of the batch.

    None where the attempt has no chunks.
    """
    values = {**_key(attempt), "batch": command.batch, "first": command.first, "count": command.count}
    return (await connection.execute(_BEGIN_BATCH, values)).one_or_none()


async def store_batch(
    connection: AsyncConnection,
    attempt: DocumentAttempt,
    command: EmbedChunks,
    model: str,
    vectors: Iterable[Any],
) -> Row[Any] | None:
    """Store a batch's vectors (count, dimensions) and count it; the progress, or None if it was counted before."""
    values = {
        **_key(attempt),
        "batch": command.batch,
        "first": command.first,
        "model": model,
        "vectors": list(vectors),
        "count": command.count,
    }
    return (await connection.execute(_STORE_BATCH, values)).one_or_none()


async def read_progress(connection: AsyncConnection, attempt: DocumentAttempt) -> Row[Any] | None:
    """Read the progress of an attempt's embedding; None where it has no chunks."""
    return (await connection.execute(_READ_PROGRESS, _key(attempt))).one_or_none()


async def remove_attempt(connection: AsyncConnection, attempt: DocumentAttempt) -> None:
    """Remove all that an attempt has stored."""
    await connection.execute(_REMOVE, {"document_id": attempt.document_id, "number": attempt.attempt})


async def remove_older_attempts(connection: AsyncConnection, attempt: DocumentAttempt) -> None:
    """Remove all that earlier attempts have stored."""
    await connection.execute(_REMOVE_OLDER, {"document_id": attempt.document_id, "number": attempt.attempt})


def _key(attempt: DocumentAttempt) -> dict[str, object]:
    return {"document_id": attempt.document_id, "attempt": attempt.attempt}
