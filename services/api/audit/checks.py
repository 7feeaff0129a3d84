"""The audit's questions to the database: each yields a document's id and what is wrong with it, or nothing."""

from services.runtime.database.tables import IS_ALIVE, IS_UPLOADED

STUCK = f"""
SELECT document_id, status || ' since ' || updated_at FROM documents
WHERE {IS_UPLOADED} AND {IS_ALIVE} AND outcome_published_at IS NULL
  AND greatest(updated_at, attempted_at, resent_at) < now() - :tolerance
"""  # noqa: S608 - of constants
UNDELETED = (
    "SELECT document_id, 'deleted at ' || deleted_at FROM documents WHERE deleted_at < now() - :tolerance"
)
CONTRADICTED = f"""
SELECT document_id, 'ended as ' || (outcome ->> 'status') || ', shown as ' || status FROM documents
WHERE {IS_UPLOADED} AND {IS_ALIVE} AND outcome_published_at < now() - :tolerance
  AND (outcome ->> 'status' <> status OR status_attempt <> attempt)
"""  # noqa: S608 - of constants
INCOMPLETE = f"""
SELECT document_id, concat_ws(', ', 'told ' || told, 'parsed ' || parsed, 'chunks ' || chunks,
  'last index ' || last, 'vectors ' || vectors)
FROM (
  SELECT documents.document_id, (outcome -> 'metadata' ->> 'embeddingCount')::int AS told, a.chunk_count AS parsed,
    (SELECT count(*) FROM chunks c WHERE (c.document_id, c.attempt) = (a.document_id, a.attempt)) AS chunks,
    (SELECT max(index) FROM chunks c WHERE (c.document_id, c.attempt) = (a.document_id, a.attempt)) AS last,
    (SELECT count(*) FROM embeddings e WHERE (e.document_id, e.attempt) = (a.document_id, a.attempt)) AS vectors
  FROM documents
  LEFT JOIN attempts a ON a.document_id = documents.document_id AND a.attempt = documents.visible_attempt
  WHERE {IS_UPLOADED} AND {IS_ALIVE} AND documents.outcome ->> 'status' = 'embedded'
    AND (documents.visible_attempt = documents.attempt) IS TRUE
) counted
WHERE NOT (told = parsed AND parsed = chunks AND chunks = vectors AND last = chunks - 1 AND chunks > 0) IS TRUE
UNION ALL
SELECT document_id, 'embedded, but not visible' FROM documents
WHERE outcome ->> 'status' = 'embedded' AND {IS_ALIVE} AND visible_attempt IS DISTINCT FROM attempt
"""  # noqa: S608 - of constants
UNFOUND = f"""
SELECT document_id, 'chunks ' || chunk_count || ', with passages ' || counted
FROM (
  SELECT a.document_id, a.chunk_count, (
    SELECT coalesce(sum(p.last - p.first + 1), 0) FROM passages p
    WHERE (p.document_id, p.attempt) = (a.document_id, a.attempt)
  ) AS counted
  FROM documents JOIN attempts a ON a.document_id = documents.document_id AND a.attempt = documents.visible_attempt
  WHERE {IS_ALIVE} AND a.terms_version > 0
) found
WHERE counted <> chunk_count
"""  # noqa: S608 - of constants
LEFT_BEHIND = """
SELECT a.document_id, 'attempt ' || a.attempt || ' has chunks and nobody sees them'
FROM attempts a JOIN documents USING (document_id)
WHERE documents.outcome_published_at < now() - :tolerance AND a.attempt IS DISTINCT FROM documents.visible_attempt
"""
STALE_UPLOADS = """
SELECT document_id, 'reserved at ' || reserved_at FROM upload_reservations
WHERE reserved_at < now() - :tolerance - interval '1 hour'
"""
UNUSED_VECTORS = """
SELECT 'vector ' || vector_id, 'no chunk points to it, and nobody removes it' FROM vectors
WHERE NOT EXISTS (SELECT FROM embeddings WHERE embeddings.vector_id = vectors.vector_id)
  AND NOT EXISTS (
    SELECT FROM unused_vectors noted
    WHERE noted.vector_id = vectors.vector_id AND noted_at > now() - :tolerance - interval '1 hour'
  )
"""
MISCOUNTED = """
SELECT operation_id, concat_ws(', ', done || ' of ' || matched || ' done', left_over || ' left',
  CASE WHEN ended THEN 'ended' END)
FROM (
  SELECT operation_id, done, matched, ended_at IS NOT NULL AS ended, (
    SELECT count(*) FROM operation_items item WHERE item.operation_id = operations.operation_id AND NOT item.begun
  ) AS left_over
  FROM operations
) counted
WHERE done + left_over <> matched OR (ended AND left_over > 0)
"""
IDLE = """
SELECT operation_id, 'no step since ' || coalesce(stepped_at, created_at) FROM operations
WHERE ended_at IS NULL AND coalesce(stepped_at, created_at) < now() - :tolerance
"""

CHECKS = {
    "stuck": STUCK,
    "deletion unfinished": UNDELETED,
    "outcome contradicted": CONTRADICTED,
    "chunks incomplete": INCOMPLETE,
    "words incomplete": UNFOUND,
    "chunks left behind": LEFT_BEHIND,
    "upload left behind": STALE_UPLOADS,
    "vector left behind": UNUSED_VECTORS,
    "operation miscounted": MISCOUNTED,
    "operation idle": IDLE,
}
