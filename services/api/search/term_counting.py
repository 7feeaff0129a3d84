"""Counts in the background how frequent words are in views of many passages; nothing waits for it."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.api.search.term_views import COMMON_PART, KEPT_DAYS, RECOUNT_SECONDS, SAMPLE_CHUNKS

LEAST_COUNTED = 4

# One that was searched since it was counted; of several replicas each takes another.
_TAKE = text("""
SELECT view FROM term_views
WHERE counted_at IS NULL OR (asked_at > counted_at AND counted_at < now() - make_interval(secs => :seconds))
ORDER BY counted_at NULLS FIRST LIMIT 1 FOR UPDATE SKIP LOCKED
""")
# Of documents in any order, as many as have the sample together.
_COUNT = text("""
WITH shown AS MATERIALIZED (
  SELECT document_id, visible_attempt, coalesce(chunk_count, 1) AS chunks,
    sum(coalesce(chunk_count, 1)) OVER (ORDER BY random()) AS up_to_here
  FROM documents
  WHERE deleted_at IS NULL AND visible_attempt IS NOT NULL
    AND (:view = 'all' OR owner_id IS NULL OR 'of ' || owner_id = :view)
),
drawn AS MATERIALIZED (SELECT * FROM shown WHERE up_to_here - chunks < :sample),
sampled AS MATERIALIZED (
  SELECT passages.dimensions FROM drawn JOIN passages
    ON passages.document_id = drawn.document_id AND passages.attempt = drawn.visible_attempt
),
size AS (
  SELECT (SELECT count(*) FROM sampled) AS passages,
    (SELECT sum(chunks) FROM shown)::float / greatest((SELECT sum(chunks) FROM drawn), 1) AS times
),
counted AS (
  SELECT dimension, count(*) AS frequency FROM sampled, unnest(sampled.dimensions) AS dimension
  WHERE dimension > 0 GROUP BY dimension
  HAVING count(*) >= greatest(:least, (SELECT passages FROM size) / :part)
)
UPDATE term_views SET counted_at = now(),
  passage_count = coalesce((SELECT passages * times FROM size), 0),
  dimensions = ARRAY(SELECT dimension FROM counted ORDER BY dimension),
  frequencies = ARRAY(
    SELECT (frequency * (SELECT times FROM size))::int FROM counted ORDER BY dimension
  )
WHERE view = :view
""")
_FORGET = text("DELETE FROM term_views WHERE asked_at < now() - make_interval(days => :days)")


async def recount_view(connection: AsyncConnection) -> bool:
    """Count a view that is searched and was counted long ago; False where there is none."""
    view = await connection.scalar(_TAKE, {"seconds": RECOUNT_SECONDS})
    if view is None:
        return False
    await connection.exec_driver_sql("SET LOCAL enable_seqscan = off; SET LOCAL jit = off")
    values = {"view": view, "sample": SAMPLE_CHUNKS, "least": LEAST_COUNTED, "part": COMMON_PART}
    await connection.execute(_COUNT, values)
    return True


async def forget_views(connection: AsyncConnection) -> None:
    """Forget what was counted for those who have not searched for long."""
    await connection.execute(_FORGET, {"days": KEPT_DAYS})
