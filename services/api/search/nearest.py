"""Finds the chunks nearest to a query."""

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.commands import QueryEmbedding
from contracts.wire import DocumentId, WireModel
from services.api.access.caller import Caller
from services.runtime.database.vector_index import MAX_INDEXED_DIMENSIONS

QUOTATION_WORDS = 4

CANDIDATES = 200
"""pgvector's hnsw.ef_search: how many candidates are looked at; recall grows with it."""


def _without_nul(query: str) -> str:
    return query.replace("\x00", " ")  # PostgreSQL takes none


class SearchRequest(WireModel):
    """A search: the query, and where to look."""

    query: Annotated[
        str,
        StringConstraints(min_length=1, max_length=10_000, strip_whitespace=True),
        AfterValidator(_without_nul),
    ]
    limit: Annotated[int, Field(ge=1, le=100)] = 10
    document_ids: Annotated[list[DocumentId], Field(max_length=1000)] | None = None


class Hit(WireModel):
    """A chunk; ``score`` is the cosine of its embedding and the query's, -1 to 1.

    Where the query's own words stand in a row in it, that passage counts for the chunk: its cosine is 1.
    """

    document_id: str
    filename: str | None
    chunk_index: int
    text: str
    page_start: int | None
    page_end: int | None
    score: float


class SearchResult(WireModel):
    """The hits, best first."""

    items: list[Hit]


async def search(
    engine: AsyncEngine, caller: Caller, request: SearchRequest, query: QueryEmbedding
) -> SearchResult:
    """Return the chunks nearest to ``query`` among the documents that are embedded and visible to the caller.

    Chunks that have the query's words in a row come first, the nearest of them before the others: whoever quotes a
    sentence means the place where it stands, and a sentence is now and then nearer to another text than to the
    chunk around it.
    """
    dimensions = len(query.vector)
    distance = f"e.embedding::vector({dimensions}) <=> CAST(:vector AS vector({dimensions}))"
    parameters = {
        "words": request.query,
        "vector": str(query.vector),
        "model": query.model,
        "limit": request.limit,
        "sees_all": caller.sees_all,
        "owner_id": caller.owner_id,
        "document_ids": request.document_ids,
    }
    async with engine.begin() as connection:
        if dimensions <= MAX_INDEXED_DIMENSIONS:
            await connection.exec_driver_sql(
                f"SET LOCAL hnsw.iterative_scan = strict_order; SET LOCAL hnsw.ef_search = {CANDIDATES}"
            )
        statements = [_QUOTED, _NEAREST] if is_quotation(request.query) else [_NEAREST]
        hits: dict[tuple[str, int], Hit] = {}
        for statement in statements:
            sql = statement.format(distance=distance)
            for row in await connection.execute(text(sql), parameters):
                hits.setdefault((row.document_id, row.chunk_index), Hit(**row._mapping))
    return SearchResult(items=list(hits.values())[: request.limit])


def is_quotation(query: str) -> bool:
    """Return whether a query is long enough for its words to be looked for in a row."""
    return len(query.split()) >= QUOTATION_WORDS


_HIT = """
SELECT c.document_id, d.filename, c.index AS chunk_index, c.text, c.page_start, c.page_end
"""

_MAY_BE_SHOWN = """
   AND e.model = :model
   AND d.deleted_at IS NULL
   AND (:sees_all OR d.owner_id IS NULL OR d.owner_id = CAST(:owner_id AS text))
   AND (CAST(:document_ids AS text[]) IS NULL OR e.document_id = ANY(CAST(:document_ids AS text[])))
 ORDER BY {distance}
 LIMIT :limit
"""

# By the HNSW index of the query's model; it is scanned on until enough rows pass the conditions (pgvector's
# iterative scan), so that a narrow filter doesn't come back empty-handed.
_NEAREST = f"""{_HIT}, 1 - ({{distance}}) AS score
  FROM embeddings e
  JOIN documents d ON d.document_id = e.document_id AND d.visible_attempt = e.attempt
  JOIN chunks c ON c.document_id = e.document_id AND c.attempt = e.attempt AND c.index = e.index
 WHERE TRUE {_MAY_BE_SHOWN}"""

# Materialised, so that the few rows are sorted, and not the vector index scanned for a word.
_QUOTED = f"""
WITH quoting AS MATERIALIZED (
    SELECT * FROM chunks WHERE to_tsvector('simple', text) @@ phraseto_tsquery('simple', :words)
){_HIT}, CAST(1 AS float8) AS score
  FROM quoting c
  JOIN documents d ON d.document_id = c.document_id AND d.visible_attempt = c.attempt
  JOIN embeddings e ON e.document_id = c.document_id AND e.attempt = c.attempt AND e.index = c.index
 WHERE TRUE {_MAY_BE_SHOWN}"""  # noqa: S608 - of constants; what people send are parameters
