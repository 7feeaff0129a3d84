"""The writes of a batch: ``embeddings``, ``vectors`` and ``embedded_batches``, and the progress in ``attempts``.

Each is safe to repeat: a batch is counted once, however often it is delivered. What belongs together is one
statement, and so one round trip. ``vector_statements`` has what is done to vectors afterwards.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.commands import EmbedChunks
from services.lifecycle.chunk import CONTEXT_END, SAID_HASH_BYTES, BatchChunk, text_hash
from services.lifecycle.document_attempt import DocumentAttempt
from services.runtime.database.binary_array import BinaryArray
from services.runtime.errors import Transient

_POINTS_TO_NOTHING = "23503"
"""PostgreSQL's foreign_key_violation."""

_THIS_ATTEMPT = "document_id = :document_id AND attempt = :attempt"

_PROGRESS = """embedded_count, chunk_count, batches_done = batches AS is_complete, started_at, batch_chunks,
  CAST(extract(epoch FROM now() - embedding_started_at) AS double precision) AS seconds"""

MANY_CONTEXTS = 8
"""Of a text that an owner has in so many contexts, as a letterhead behind many titles, no further one is embedded,
but the text by itself, once. Vectors that are all but alike cost an index over them the recall of all others."""

# A vector is the owner's already where a chunk of his points to it: who has others' texts learns by no clock that
# they were embedded before. Asked one by one, by indexes: a hashed subplan would read all that an owner has.
_IS_OWNERS = "coalesce(embeddings.owner_id, '') = coalesce(CAST(:owner_id AS text), '')"


def _has_vector(embedded_text: str) -> str:
    return f"""(
      SELECT true FROM vectors JOIN embeddings ON embeddings.vector_id = vectors.vector_id
      WHERE vectors.model = :model AND vectors.text_hash = sha256(convert_to({embedded_text}, 'UTF8'))
        AND {_IS_OWNERS} LIMIT 1
    ) IS NOT NULL"""  # noqa: S608 - of constants


_BEGIN_BATCH = text(f"""
WITH begun AS (  -- others wait here for the one that is first
  UPDATE attempts SET embedding_started_at = now() WHERE {_THIS_ATTEMPT} AND embedding_started_at IS NULL
  RETURNING attempt
),
batch AS MATERIALIZED (
  SELECT index, context, text,
    context || CASE context WHEN '' THEN '' ELSE CAST(:context_end AS text) END || text AS whole
  FROM chunks WHERE {_THIS_ATTEMPT} AND index >= :first AND index < :first + :count
),
known AS MATERIALIZED (
  SELECT index, context, text, {_has_vector("whole")} AS has_vector FROM batch
),
chosen AS MATERIALIZED (
  SELECT index, text, has_vector, CASE WHEN context = '' OR has_vector OR (
    SELECT count(*) FROM (
      SELECT FROM vectors WHERE vectors.model = :model
        AND vectors.said_hash = substr(sha256(convert_to(known.text, 'UTF8')), 1, {SAID_HASH_BYTES})
        AND (
          SELECT true FROM embeddings WHERE embeddings.vector_id = vectors.vector_id AND {_IS_OWNERS} LIMIT 1
        ) LIMIT {MANY_CONTEXTS}
    ) contexts
  ) + dense_rank() OVER (PARTITION BY text ORDER BY context) <= {MANY_CONTEXTS} THEN context ELSE '' END AS context,
    context <> '' AS had_context FROM known
)
SELECT {_PROGRESS}, EXISTS (SELECT FROM begun) AS is_first,
  EXISTS (SELECT FROM embedded_batches WHERE {_THIS_ATTEMPT} AND batch = :batch) AS is_embedded,
  ARRAY(SELECT context FROM chosen ORDER BY index) AS contexts,
  ARRAY(SELECT text FROM chosen ORDER BY index) AS texts,
  ARRAY(
    SELECT has_vector OR (had_context AND context = '' AND {_has_vector("chosen.text")}) FROM chosen ORDER BY index
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
  INSERT INTO vectors (model, text_hash, said_hash, embedding)
  SELECT :model, new.text_hash, new.said_hash, CAST(new.embedding AS halfvec)
  FROM counted, unnest(CAST(:new_hashes AS bytea[]), CAST(:said_hashes AS bytea[]), CAST(:vectors AS vector[]))
    AS new (text_hash, said_hash, embedding)
  ORDER BY new.text_hash ON CONFLICT DO NOTHING RETURNING vector_id, text_hash
),
found AS (
  SELECT vector_id, text_hash FROM made UNION ALL
  SELECT vector_id, text_hash FROM vectors WHERE model = :model AND text_hash = ANY(CAST(:hashes AS bytea[]))
    AND text_hash NOT IN (SELECT text_hash FROM made)  -- a removed one is still seen beside its heir
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


async def begin_batch(
    connection: AsyncConnection, attempt: DocumentAttempt, command: EmbedChunks, model: str
) -> Row[Any] | None:
    """Note that embedding has begun; the progress, whether this is the first step, and the batch's chunks.

    Of each chunk the context that it is embedded in, its text, and whether the owner has the vector of both. None
    where the attempt has no chunks.
    """
    values = {**_batch(attempt, command, model), "context_end": CONTEXT_END}
    return (await connection.execute(_BEGIN_BATCH, values)).one_or_none()


async def store_batch(
    connection: AsyncConnection,
    attempt: DocumentAttempt,
    command: EmbedChunks,
    model: str,
    chunks: Sequence[BatchChunk],
    vectors: Mapping[str, Any],
) -> Row[Any] | None:
    """Point each of a batch's chunks to its vector and count it; the progress, or None if it was counted before.

    ``vectors`` are those of embedded texts that had none, each of shape (dimensions,). Raises VectorGone where one
    that was there has gone meanwhile: then nothing is to be committed.
    """
    said = {chunk.embedded_text: chunk.said_hash for chunk in chunks}
    values = {
        **_batch(attempt, command, model),
        "hashes": [text_hash(chunk.embedded_text) for chunk in chunks],
        "said_hashes": [said[text] for text in vectors],
        "new_hashes": [text_hash(text) for text in vectors],
        "vectors": BinaryArray(vectors.values()) if vectors else [],
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


def _batch(attempt: DocumentAttempt, command: EmbedChunks, model: str) -> dict[str, object]:
    return {
        **_key(attempt),
        "batch": command.batch,
        "first": command.first,
        "count": command.count,
        "model": model,
        "owner_id": attempt.owner_id,
    }


def _key(attempt: DocumentAttempt) -> dict[str, object]:
    return {"document_id": attempt.document_id, "attempt": attempt.attempt}
