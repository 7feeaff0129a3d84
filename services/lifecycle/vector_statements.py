"""The writes of vectors that no stage makes: what nobody needs goes, what the last release left is taken over.

Both go in small batches, may run on several replicas at once, and wait for nobody for long.
"""

from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# Of the oldest notes, the vectors that may be had at once. Whoever is about to point to one holds it by its foreign
# key, and the note waits for the next time.
_LOCK_UNUSED = text("""
WITH noted AS MATERIALIZED (
  SELECT note_id, vector_id FROM unused_vectors WHERE noted_at < now() - make_interval(secs => :seconds)
  ORDER BY note_id LIMIT :count FOR UPDATE SKIP LOCKED
),
held AS MATERIALIZED (
  SELECT vector_id FROM vectors WHERE vector_id IN (SELECT vector_id FROM noted) FOR UPDATE SKIP LOCKED
)
SELECT noted.note_id, held.vector_id FROM noted LEFT JOIN held ON held.vector_id = noted.vector_id
WHERE held.vector_id IS NOT NULL OR NOT EXISTS (SELECT FROM vectors v WHERE v.vector_id = noted.vector_id)
""")
# Another statement, which sees who has begun to point to one before it was locked.
_REMOVE_UNUSED = text("""
WITH done AS (DELETE FROM unused_vectors WHERE note_id = ANY(CAST(:notes AS bigint[])))
DELETE FROM vectors WHERE vector_id = ANY(CAST(:vectors AS bigint[]))
  AND NOT EXISTS (SELECT FROM embeddings WHERE embeddings.vector_id = vectors.vector_id)
""")

_READ_OLD = text("""
SELECT e.document_id, e.attempt, e.index, e.model, d.owner_id, sha256(convert_to(c.text, 'UTF8')) AS text_hash
FROM embeddings e
JOIN chunks c ON (c.document_id, c.attempt, c.index) = (e.document_id, e.attempt, e.index)
JOIN documents d ON d.document_id = e.document_id
WHERE e.embedding IS NOT NULL AND e.vector_id IS NULL AND NOT EXISTS (SELECT FROM upgrade_overlap)
ORDER BY e.document_id LIMIT :count FOR UPDATE OF e SKIP LOCKED
""")
# Of embeddings that were made beside processes of the last release, which read them: these point already.
_FORGET_OLD = text("""
UPDATE embeddings SET embedding = NULL WHERE (document_id, attempt, index) IN (
  SELECT document_id, attempt, index FROM embeddings
  WHERE embedding IS NOT NULL AND vector_id IS NOT NULL AND NOT EXISTS (SELECT FROM upgrade_overlap)
  ORDER BY document_id LIMIT :count FOR UPDATE SKIP LOCKED
) RETURNING index
""")
_END_OVERLAP = text("DELETE FROM upgrade_overlap WHERE began_at <= now() - make_interval(secs => :seconds)")
_OLD = """unnest(CAST(:document_ids AS text[]), CAST(:attempts AS int[]), CAST(:indexes AS int[]),
  CAST(:models AS text[]), CAST(:owner_ids AS text[]), CAST(:text_hashes AS bytea[]))
  AS old (document_id, attempt, index, model, owner_id, text_hash)"""
_KEY = ("document_id", "attempt", "index")
_IS_OLD = " AND ".join(f"embeddings.{column} = old.{column}" for column in _KEY)
_COPY_OLD = text(f"""
INSERT INTO vectors (model, text_hash, embedding)
SELECT DISTINCT ON (old.model, old.text_hash) old.model, old.text_hash, CAST(embedding AS halfvec)
FROM {_OLD} JOIN embeddings ON {_IS_OLD}
ORDER BY old.model, old.text_hash ON CONFLICT DO NOTHING
""")  # noqa: S608 - of constants
# Held, or else one that was there already could be removed meanwhile; what is left out comes with the next batch.
_POINT_OLD = text(f"""
WITH held AS MATERIALIZED (
  SELECT vector_id, model, text_hash FROM vectors
  WHERE (model, text_hash) IN (SELECT model, text_hash FROM {_OLD}) FOR KEY SHARE
)
UPDATE embeddings SET vector_id = held.vector_id, owner_id = old.owner_id, embedding = NULL
FROM {_OLD} JOIN held ON held.model = old.model AND held.text_hash = old.text_hash
WHERE {_IS_OLD}
""")  # noqa: S608 - of constants


async def remove_unused_vectors(connection: AsyncConnection, *, seconds: float, count: int) -> int:
    """Remove vectors that were noted ``seconds`` ago and that no chunk points to; the notes that were looked at."""
    values = {"seconds": seconds, "count": count}
    rows = (await connection.execute(_LOCK_UNUSED, values)).all()
    if rows:
        notes = [row.note_id for row in rows]
        found = sorted({row.vector_id for row in rows if row.vector_id is not None})
        await connection.execute(_REMOVE_UNUSED, {"notes": notes, "vectors": found})
    return len(rows)


async def take_over_embeddings(connection: AsyncConnection, *, count: int) -> int:
    """Give embeddings of the last release, which have a vector of their own, that of their text; their number.

    The last release embedded a chunk's text alone, and so the vector is that of the text without its context. None
    is taken over while processes of it may run (``end_overlap``): their search finds by these.
    """
    rows = (await connection.execute(_READ_OLD, {"count": count})).all()
    if not rows:
        return len((await connection.execute(_FORGET_OLD, {"count": count})).all())
    values: dict[str, list[Any]] = {
        "document_ids": [row.document_id for row in rows],
        "attempts": [row.attempt for row in rows],
        "indexes": [row.index for row in rows],
        "models": [row.model for row in rows],
        "owner_ids": [row.owner_id for row in rows],
        "text_hashes": [row.text_hash for row in rows],
    }
    await connection.execute(_COPY_OLD, values)
    await connection.execute(_POINT_OLD, values)
    return len(rows)


async def end_overlap(connection: AsyncConnection, *, seconds: float) -> None:
    """Note that no process of the last release runs any more, so long after the upgrade."""
    await connection.execute(_END_OVERLAP, {"seconds": seconds})
