"""The writes of ``attempts``, ``chunks`` and ``passages`` as a whole; those of a batch: ``batch_statements``.

Each is safe to repeat: chunks are stored once, whoever parses. What belongs together is one statement, and so one
round trip.
"""

import json
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, delete, text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.commands import Batching
from services.lifecycle.chunk import Chunk
from services.lifecycle.document_attempt import DocumentAttempt
from services.runtime.database.tables import IS_ALIVE, IS_UPLOADED, attempts
from services.search_terms.indexed_document import IndexedDocument

_THIS_ATTEMPT = "document_id = :document_id AND attempt = :attempt"

_PASSAGES = """
  INSERT INTO passages (document_id, attempt, first, last, owner_id, language, dimensions, weights)
  SELECT stored.document_id, stored.attempt, passage.first, passage.last, stored.owner_id, :language,
    CAST(passage.dimensions AS int[]), CAST(passage.weights AS sparsevec)
  FROM stored, unnest(CAST(:firsts AS int[]), CAST(:lasts AS int[]), CAST(:dimensions AS text[]),
    CAST(:weights AS text[])) AS passage (first, last, dimensions, weights)
"""

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
    started_at, language, terms_version)
  SELECT document_id, attempt, :page_count, :chunk_count, :token_count, :batch_chunks, :batches,
    CAST(:details AS jsonb), :started_at, :language, :terms_version
  FROM this ON CONFLICT DO NOTHING RETURNING document_id, attempt, CAST(:owner_id AS text) AS owner_id
),
written AS (
  INSERT INTO chunks (document_id, attempt, text, context, token_count, page_start, page_end, headings, index)
  SELECT stored.document_id, stored.attempt, chunk.text, chunk.context, chunk.token_count, chunk.page_start,
    chunk.page_end, chunk.headings, chunk.number - 1
  FROM stored, unnest(CAST(:texts AS text[]), CAST(:contexts AS text[]), CAST(:token_counts AS int[]),
    CAST(:page_starts AS int[]), CAST(:page_ends AS int[]), CAST(:headings AS jsonb[]))
    WITH ORDINALITY AS chunk (text, context, token_count, page_start, page_end, headings, number)
),
indexed AS ({_PASSAGES})
SELECT count(*) FROM this
""")  # noqa: S608 - of constants

# Made by whoever finds that they are missing, or of older terms: of several who do so at once one is the first.
_TAKE_OUTDATED = text(f"""
WITH taken AS (
  UPDATE attempts SET language = :language, terms_version = :terms_version
  WHERE {_THIS_ATTEMPT} AND terms_version < :terms_version RETURNING attempt
),
removed AS (
  DELETE FROM passages USING taken WHERE passages.document_id = :document_id AND passages.attempt = taken.attempt
)
SELECT count(*) FROM taken
""")  # noqa: S608 - of constants
_REPLACE_PASSAGES = text(f"""
WITH stored AS (
  SELECT a.document_id, a.attempt, d.owner_id FROM attempts a JOIN documents d ON d.document_id = a.document_id
  WHERE a.document_id = :document_id AND a.attempt = :attempt
)
{_PASSAGES}
""")  # noqa: S608 - of constants

_OF_DOCUMENT = attempts.c.document_id == bindparam("document_id")
_REMOVE = delete(attempts).where(_OF_DOCUMENT, attempts.c.attempt == bindparam("number"))
_REMOVE_OLDER = delete(attempts).where(_OF_DOCUMENT, attempts.c.attempt < bindparam("number"))


async def store_parsed(
    connection: AsyncConnection,
    attempt: DocumentAttempt,
    chunks: Sequence[Chunk],
    terms: IndexedDocument,
    *,
    page_count: int | None,
    batching: Batching,
    details: dict[str, object],
    started_at: datetime,
) -> bool:
    """Store the chunks of an attempt and their terms unless they are; False where it has ended or was deleted.

    Those of attempts that ended without being embedded are removed.
    """
    values = {
        **_key(attempt),
        **_terms(terms),
        "owner_id": attempt.owner_id,
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


async def replace_passages(
    connection: AsyncConnection, document_id: str, attempt: int, terms: IndexedDocument
) -> bool:
    """Store the terms of an attempt in place of older ones; False where it has these already, or is gone."""
    values = {"document_id": document_id, "attempt": attempt, **_terms(terms)}
    is_taken = bool(await connection.scalar(_TAKE_OUTDATED, values))
    if is_taken:
        await connection.execute(_REPLACE_PASSAGES, values)
    return is_taken


async def remove_attempt(connection: AsyncConnection, attempt: DocumentAttempt) -> None:
    """Remove all that an attempt has stored."""
    await connection.execute(_REMOVE, {"document_id": attempt.document_id, "number": attempt.attempt})


async def remove_older_attempts(connection: AsyncConnection, attempt: DocumentAttempt) -> None:
    """Remove all that earlier attempts have stored."""
    await connection.execute(_REMOVE_OLDER, {"document_id": attempt.document_id, "number": attempt.attempt})


def _terms(terms: IndexedDocument) -> dict[str, object]:
    return {
        "language": terms.language,
        "terms_version": terms.version,
        "firsts": [passage.first for passage in terms.passages],
        "lasts": [passage.last for passage in terms.passages],
        "dimensions": [passage.dimensions for passage in terms.passages],
        "weights": [passage.weights for passage in terms.passages],
    }


def _key(attempt: DocumentAttempt) -> dict[str, object]:
    return {"document_id": attempt.document_id, "attempt": attempt.attempt}
