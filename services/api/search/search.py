"""A search: what is asked, what is answered, and how the hits come into one order."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from contracts.commands import QueryEmbedding
from contracts.wire import DocumentId, WireModel
from services.api.access.caller import Caller
from services.api.search.nearest import nearest, quoting
from services.api.search.scope import Scope

QUOTATION_WORDS = 4

FileType = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
"""A media type, ``image/*`` or a file ending, as in lists and streams."""


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
    file_type: list[FileType] | FileType | None = None

    @property
    def file_types(self) -> list[str] | None:
        """The wanted file types; None for all."""
        return [self.file_type] if isinstance(self.file_type, str) else self.file_type


class Hit(WireModel):
    """A chunk; ``cosine`` is that of its embedding and the query's, -1 to 1; hits are ordered by ``score``.

    The score is the cosine, and 0 where that is less. Where the query's own words stand in a row in the chunk, that
    passage counts for it: its score is 1.
    """

    document_id: str
    filename: str | None
    title: str | None
    chunk_index: int
    text: str
    headings: list[str]
    page_start: int | None
    page_end: int | None
    score: float
    cosine: float


class SearchResult(WireModel):
    """The hits, best first, and the model whose vectors were compared."""

    model: str
    items: list[Hit]


async def search(
    engine: AsyncEngine, caller: Caller, request: SearchRequest, query: QueryEmbedding
) -> SearchResult:
    """Return the chunks nearest to ``query`` among the documents that are embedded and visible to the caller.

    Chunks that have the query's words in a row come first, the nearest of them before the others: whoever quotes a
    sentence means the place where it stands, and a sentence is now and then nearer to another text than to the
    chunk around it.
    """
    scope = Scope(caller, request.document_ids, request.file_types)
    async with engine.begin() as connection:
        hits = await _quotations(connection, scope, request, query)
        if len(hits) < request.limit:
            found = await nearest(connection, scope, query, request.limit)
            hits = list(_without_repeats([*hits, *(_hit(row) for row in found)]))
    return SearchResult(model=query.model, items=hits[: request.limit])


def is_quotation(query: str) -> bool:
    """Return whether a query is long enough for its words to be looked for in a row."""
    return len(query.split()) >= QUOTATION_WORDS


async def _quotations(
    connection: AsyncConnection, scope: Scope, request: SearchRequest, query: QueryEmbedding
) -> list[Hit]:
    if not is_quotation(request.query):
        return []
    rows = await quoting(connection, scope, query, request.query, request.limit)
    return [_hit(row, score=1.0) for row in rows]


def _hit(row: Row[Any], score: float | None = None) -> Hit:
    return Hit(**row._mapping, score=max(row.cosine, 0.0) if score is None else score)


def _without_repeats(hits: Sequence[Hit]) -> Iterator[Hit]:
    seen: set[tuple[str, int]] = set()
    for hit in hits:
        key = hit.document_id, hit.chunk_index
        if key not in seen:
            seen.add(key)
            yield hit
