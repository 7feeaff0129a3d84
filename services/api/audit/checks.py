"""What the audit asks the database: each statement yields a document's id and what is wrong with it, or nothing."""

STUCK = """
SELECT document_id, status || ' since ' || updated_at FROM documents
WHERE sha256 IS NOT NULL AND deleted_at IS NULL AND announced_at IS NULL
  AND greatest(updated_at, attempted_at, reminded_at) < now() - :tolerance
"""
UNDELETED = (
    "SELECT document_id, 'deleted at ' || deleted_at FROM documents WHERE deleted_at < now() - :tolerance"
)
CONTRADICTED = """
SELECT document_id, 'ended as ' || (ending ->> 'status') || ', shown as ' || status FROM documents
WHERE sha256 IS NOT NULL AND deleted_at IS NULL AND announced_at < now() - :tolerance
  AND (ending ->> 'status' <> status OR status_attempt <> attempt)
"""
INCOMPLETE = """
SELECT document_id, concat_ws(', ', 'told ' || told, 'parsed ' || parsed, 'chunks ' || chunks,
  'last index ' || last, 'vectors ' || vectors)
FROM (
  SELECT d.document_id, (d.ending -> 'metadata' ->> 'embeddingCount')::int AS told, a.chunk_count AS parsed,
    (SELECT count(*) FROM chunks c WHERE c.document_id = d.document_id AND c.attempt = a.attempt) AS chunks,
    (SELECT max(index) FROM chunks c WHERE c.document_id = d.document_id AND c.attempt = a.attempt) AS last,
    (SELECT count(*) FROM embeddings e WHERE e.document_id = d.document_id AND e.attempt = a.attempt) AS vectors
  FROM documents d LEFT JOIN attempts a ON a.document_id = d.document_id AND a.attempt = d.visible_attempt
  WHERE d.sha256 IS NOT NULL AND d.deleted_at IS NULL AND d.ending ->> 'status' = 'embedded'
    AND (d.visible_attempt = d.attempt) IS TRUE
) counted
WHERE NOT (told = parsed AND parsed = chunks AND chunks = vectors AND last = chunks - 1 AND chunks > 0) IS TRUE
UNION ALL
SELECT document_id, 'embedded, but not visible' FROM documents
WHERE ending ->> 'status' = 'embedded' AND deleted_at IS NULL AND visible_attempt IS DISTINCT FROM attempt
"""
LEFT_BEHIND = """
SELECT a.document_id, 'attempt ' || a.attempt || ' has chunks and nobody sees them'
FROM attempts a JOIN documents d USING (document_id)
WHERE d.announced_at < now() - :tolerance AND a.attempt IS DISTINCT FROM d.visible_attempt
"""
STALE_UPLOADS = """
SELECT document_id, 'reserved at ' || reserved_at FROM upload_reservations
WHERE reserved_at < now() - :tolerance - interval '1 hour'
"""

CHECKS = {
    "stuck": STUCK,
    "deletion unfinished": UNDELETED,
    "ending contradicted": CONTRADICTED,
    "chunks incomplete": INCOMPLETE,
    "chunks left behind": LEFT_BEHIND,
    "upload left behind": STALE_UPLOADS,
}
