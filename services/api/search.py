"""Finds the chunks nearest to a query."""

from typing import Annotated

from pydantic import Field, StringConstraints
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.commands import QueryEmbedding
from contracts.wire import DocumentId, WireModel
from services.api.access import Caller
from services.runtime.vector_index import MAX_INDEXED_DIMENSIONS

CANDIDATES = 200
"""pgvector's hnsw.ef_search: how many candidates are looked at; recall grows with it."""


class SearchRequest(WireModel):
    """What to look for."""

    query: Annotated[str, StringConstraints(min_length=1, max_length=10_000, strip_whitespace=True)]
    limit: Annotated[int, Field(ge=1, le=100)] = 10
    document_ids: Annotated[list[DocumentId], Field(max_length=1000)] | None = None


class Hit(WireModel):
    """A chunk; ``score`` is the cosine of its embedding and the query's, -1 to 1."""

    document_id: str
    filename: str | None
    chunk_index: int
    text: str
    page_start: int | None
    page_end: int | None
    score: float


class SearchResult(WireModel):
    """The nearest chunks, best first."""

    items: list[Hit]


async def search(
    engine: AsyncEngine, caller: Caller, request: SearchRequest, query: QueryEmbedding
) -> SearchResult:
    """The chunks nearest to ``query`` among the documents that are embedded and visible to the caller.

    Goes by the HNSW index of the query's model, and goes on scanning it until enough rows pass the conditions
    (pgvector's iterative scan), so that a narrow filter doesn't come back empty-handed.
    """
    dimensions = len(query.vector)
    distance = f"e.embedding::vector({dimensions}) <=> CAST(:vector AS vector({dimensions}))"
    statement = text(_NEAREST.format(distance=distance))
    parameters = {
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
        rows = await connection.execute(statement, parameters)
        return SearchResult(items=[Hit(**row._mapping) for row in rows])


_NEAREST = """
SELECT c.document_id, d.filename, c.index AS chunk_index, c.text, c.page_start, c.page_end,
       1 - ({distance}) AS score
  FROM embeddings e
  JOIN documents d ON d.document_id = e.document_id AND d.visible_attempt = e.attempt
  JOIN chunks c ON c.document_id = e.document_id AND c.attempt = e.attempt AND c.index = e.index
 WHERE e.model = :model
   AND d.deleted_at IS NULL
   AND (:sees_all OR d.owner_id IS NULL OR d.owner_id = CAST(:owner_id AS text))
   AND (CAST(:document_ids AS text[]) IS NULL OR e.document_id = ANY(CAST(:document_ids AS text[])))
 ORDER BY {distance}
 LIMIT :limit
"""
