"""What each side's candidates are worth on the other: the words of what is near, the cosines of what has words."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import Row, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.commands import QueryEmbedding
from services.api.search.matching import Match, WordQuery

# The passages of the near are looked up by the last that begins before them. One statement for both sides: each
# takes the API a millisecond, however little it asks.
_BOTH = """
WITH asked AS MATERIALIZED (
  SELECT CAST(:query AS sparsevec) AS words, CAST(:vector AS halfvec({dimensions})) AS vector,
    CAST(:vector AS vector({dimensions})) AS old_vector
),
matches AS (
  SELECT * FROM unnest(CAST(:document_ids AS text[]), CAST(:attempts AS int[]), CAST(:firsts AS int[]),
    CAST(:lasts AS int[]), CAST(:words AS float[])) AS match (document_id, attempt, first, last, words)
  UNION
  SELECT passage.document_id, passage.attempt, passage.first, passage.last,
    -(passage.weights <#> (SELECT words FROM asked))
  FROM unnest(CAST(:near_ids AS text[]), CAST(:near_attempts AS int[]), CAST(:near_indexes AS int[]))
    AS chunk (document_id, attempt, index)
  CROSS JOIN LATERAL (
    SELECT * FROM passages
    WHERE passages.document_id = chunk.document_id AND passages.attempt = chunk.attempt AND first <= chunk.index
    ORDER BY first DESC LIMIT 1
  ) AS passage
  WHERE chunk.index <= passage.last
)
SELECT match.document_id, match.attempt, match.first, match.last, match.words, e.index, 1 - coalesce(
    v.embedding::halfvec({dimensions}) <=> (SELECT vector FROM asked),
    e.embedding::vector({dimensions}) <=> (SELECT old_vector FROM asked)
  )
FROM matches AS match
JOIN embeddings e
  ON e.document_id = match.document_id AND e.attempt = match.attempt AND e.index BETWEEN match.first AND match.last
LEFT JOIN vectors v ON v.vector_id = e.vector_id
WHERE match.words > 0 AND e.model = :model
"""


@dataclass
class BothSides:
    """The passages that have words of a query, and the cosines of their chunks, by document and index."""

    matches: set[Match] = field(default_factory=set)
    cosines: dict[tuple[str, int], float] = field(default_factory=dict)


async def complete(
    connection: AsyncConnection,
    words: WordQuery,
    embedding: QueryEmbedding,
    matches: Sequence[Match],
    near: Sequence[Row[Any]],
) -> BothSides:
    """Return both values of the chunks of ``matches``, and of all of the passages that the ``near`` are in."""
    found = BothSides()
    if not words.terms.weights:
        return found
    values = {
        "document_ids": [match.document_id for match in matches],
        "attempts": [match.attempt for match in matches],
        "firsts": [match.first for match in matches],
        "lasts": [match.last for match in matches],
        "words": [match.words for match in matches],
        "near_ids": [row.document_id for row in near],
        "near_attempts": [row.attempt for row in near],
        "near_indexes": [row.chunk_index for row in near],
        "query": words.vector,
        "vector": str(embedding.vector),
        "model": embedding.model,
    }
    for *match, index, cosine in await connection.execute(_both(len(embedding.vector)), values):
        found.matches.add(Match(*match))
        found.cosines[match[0], index] = cosine
    return found


@cache
def _both(dimensions: int) -> TextClause:
    return text(_BOTH.format(dimensions=int(dimensions)))
