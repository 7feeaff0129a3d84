"""Every write of ``attempts``, ``chunks``, ``embeddings``, ``vectors`` and ``embedded_batches`` that a stage makes.

Each is safe to repeat: a batch is counted once, however often it is delivered, and chunks are stored once, whoever
parses. What belongs together is one statement, and so one round trip. ``vector_statements`` has what is done to
vectors afterwards.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, delete, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.commands import Batching, EmbedChunks
from services.lifecycle.chunk import CONTEXT_END, Chunk, text_hash
from services.lifecycle.document_attempt import DocumentAttempt
from services.runtime.database.tables import IS_ALIVE, IS_UPLOADED, attempts
from services.runtime.errors import Transient

_POINTS_TO_NOTHING = "23503"
"""PostgreSQL's foreign_key_violation."""

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
  INSERT INTO chunks (document_id, attempt, text, context, token_count, page_start, page_end, headings, index)
  SELECT stored.document_id, stored.attempt, chunk.text, chunk.context, chunk.token_count, chunk.page_start,
    chunk.page_end, chunk.headings, chunk.number - 1
  FROM stored, unnest(CAST(:texts AS text[]), CAST(:contexts AS text[]), CAST(:token_counts AS int[]),
    CAST(:page_starts AS int[]), CAST(:page_ends AS int[]), CAST(:headings AS jsonb[]))
    WITH ORDINALITY AS chunk (text, context, token_count, page_start, page_end, headings, number)
)
SELECT count(*) FROM this
""")  # noqa: S608 - of constants

_PROGRESS = """embedded_count, chunk_count, batches_done = batches AS is_complete, started_at, batch_chunks"""

# A vector is the owner's already where a chunk of his points to it: who has others' texts learns by no clock that
# they were embedded before. Asked one by one, by indexes: a hashed subplan would read all that an owner has.
_BEGIN_BATCH = text(f"""
WITH begun AS (  -- others wait here for the one that is first
  UPDATE attempts SET embedding_started_at = now() WHERE {_THIS_ATTEMPT} AND embedding_started_at IS NULL
  RETURNING attempt
),
batch AS MATERIALIZED (
  SELECT index, CASE context WHEN '' THEN '' ELSE context || CAST(:context_end AS text) END || text AS embedded_text
  FROM chunks WHERE {_THIS_ATTEMPT} AND index >= :first AND index < :first + :count
)
SELECT {_PROGRESS}, EXISTS (SELECT FROM begun) AS is_first,
  EXISTS (SELECT FROM embedded_batches WHERE {_THIS_ATTEMPT} AND batch = :batch) AS is_embedded,
  ARRAY(SELECT embedded_text FROM batch ORDER BY index) AS texts,
  ARRAY(
    SELECT (
      SELECT true FROM vectors JOIN embeddings ON embeddings.vector_id = vectors.vector_id
      WHERE vectors.model = :model AND vectors.text_hash = sha256(convert_to(batch.embedded_text, 'UTF8'))
        AND coalesce(embeddings.owner_id, '') = coalesce(CAST(:owner_id AS text), '') LIMIT 1
    ) IS NOT NULL FROM batch ORDER BY index
  ) AS has_vector
FROM attempts WHERE {_THIS_ATTEMPT}
""")  # noqa: S608 - of constants

# The update of the attempt's one row serialises batches that end together, so that exactly one of them sees itself
# complete the document (counting rows under READ COMMITTED would let both or neither). Vectors are inserted in the
# order of their hashes, so that no two batches wait for each other.
_STORE_BATCH = text(f"""
WITH counted AS (
  INSERT INTO embedded_batches (document_id, attempt, batch) VALUES (:document_id, :attempt, :batch)
  ON CONFLICT DO NOTHING RETURNING batch
),
made AS (
  INSERT INTO vectors (model, text_hash, embedding)
  SELECT :model, new.text_hash, CAST(new.embedding AS halfvec)
  FROM counted, unnest(CAST(:new_hashes AS bytea[]), CAST(:vectors AS vector[])) AS new (text_hash, embedding)
  ORDER BY new.text_hash ON CONFLICT DO NOTHING RETURNING vector_id, text_hash
),
found AS (
  SELECT vector_id, text_hash FROM made UNION ALL
  SELECT vector_id, text_hash FROM vectors WHERE model = :model AND text_hash = ANY(CAST(:hashes AS bytea[]))
),
written AS (
  INSERT INTO embeddings (document_id, attempt, model, index, owner_id, vector_id)
  SELECT :document_id, :attempt, :model, :first + chunk.number - 1, :owner_id, found.vector_id
  FROM counted, unnest(CAST(:hashes AS bytea[])) WITH ORDINALITY AS chunk (text_hash, number)
  JOIN found ON found.text_hash = chunk.text_hash RETURNING index
)
UPDATE attempts SET batches_done = batches_done + 1, embedded_count = embedded_count + :count
FROM counted WHERE {_THIS_ATTEMPT} RETURNING {_PROGRESS}, (SELECT count(*) FROM written) AS pointing
""")  # noqa: S608 - of constants

# Another batch has committed the same text since the statement before began: this one sees its vector.
_POINT_THE_REST = text("""
WITH written AS (
  INSERT INTO embeddings (document_id, attempt, model, index, owner_id, vector_id)
  SELECT :document_id, :attempt, :model, :first + chunk.number - 1, :owner_id, vectors.vector_id
  FROM unnest(CAST(:hashes AS bytea[])) WITH ORDINALITY AS chunk (text_hash, number)
  JOIN vectors ON vectors.model = :model AND vectors.text_hash = chunk.text_hash
  ON CONFLICT DO NOTHING RETURNING index
)
SELECT count(*) FROM written
""")

_READ_PROGRESS = text(f"SELECT {_PROGRESS} FROM attempts WHERE {_THIS_ATTEMPT}")  # noqa: S608 - of constants


class VectorGone(Transient):
    """A vector that a text had was removed before its chunk pointed to it; the text is embedded again."""


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
        "contexts": [chunk.context for chunk in chunks],
        "token_counts": [chunk.token_count for chunk in chunks],
        "page_starts": [chunk.page_start for chunk in chunks],
        "page_ends": [chunk.page_end for chunk in chunks],
        "headings": [json.dumps(chunk.headings) for chunk in chunks],
    }
    return bool(await connection.scalar(_STORE_PARSED, values))


async def begin_batch(
    connection: AsyncConnection, attempt: DocumentAttempt, command: EmbedChunks, model: str
) -> Row[Any] | None:
    """Note that embedding has begun; the progress, whether this is the first step, and the batch's chunks.

    Of each chunk its text as it is embedded, and whether the owner has that text's vector. None where the attempt
    has no chunks.
    """
    values = {
        **_key(attempt),
        "batch": command.batch,
        "first": command.first,
        "count": command.count,
        "model": model,
        "owner_id": attempt.owner_id,
        "context_end": CONTEXT_END,
    }
    return (await connection.execute(_BEGIN_BATCH, values)).one_or_none()


async def store_batch(
    connection: AsyncConnection,
    attempt: DocumentAttempt,
    command: EmbedChunks,
    model: str,
    texts: Sequence[str],
    vectors: Mapping[str, Any],
) -> Row[Any] | None:
    """Point each of a batch's texts to its vector and count it; the progress, or None if it was counted before.

    ``vectors`` are those of texts that had none, each of shape (dimensions,). Raises VectorGone where one that was
    there has gone meanwhile: then nothing is to be committed.
    """
    values = {
        **_key(attempt),
        "batch": command.batch,
        "first": command.first,
        "count": command.count,
        "model": model,
        "owner_id": attempt.owner_id,
        "hashes": [text_hash(text) for text in texts],
        "new_hashes": [text_hash(text) for text in vectors],
        "vectors": list(vectors.values()),
    }
    try:
        row = (await connection.execute(_STORE_BATCH, values)).one_or_none()
        if row is not None and row.pointing < command.count:
            rest: int = (await connection.execute(_POINT_THE_REST, values)).scalar_one()
            if row.pointing + rest < command.count:
                raise VectorGone(f"{attempt.document_id}: a vector of batch {command.batch} is gone")
    except IntegrityError as error:
        if getattr(error.orig, "sqlstate", None) != _POINTS_TO_NOTHING:
            raise
        raise VectorGone(f"{attempt.document_id}: a vector of batch {command.batch} was removed") from error
    return row


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
