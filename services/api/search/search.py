"""A search: what is asked, what is answered, and how the hits come into one order."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from contracts.commands import QueryEmbedding
from contracts.wire import DocumentId, WireModel
from services.api.access.caller import Caller
from services.api.search.candidates import Candidates, WordSide, find_candidates, find_matches, per_side
from services.api.search.found_chunks import ChunkKey, FoundChunk, WantedByLanguage, read_chunks, shares_of
from services.api.search.scope import Scope
from services.api.search.term_views import TermView, want_counted
from services.runtime.database.engine import snapshot
from services.search_terms.fusion import Ranking, ScoredCandidate, SearchMode

FileType = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
"""A media type, ``image/*`` or a file ending, as in lists and streams."""


def _without_nul(query: str) -> str:
    return query.replace("\x00", " ")  # PostgreSQL takes none


class SearchRequest(WireModel):
    """A search: the query, what to go by, and where to look.

    ``min_cosine`` leaves out hits that are less near and hold no word of the query.
    """

    query: Annotated[
        str,
        StringConstraints(min_length=1, max_length=10_000, strip_whitespace=True),
        AfterValidator(_without_nul),
    ]
    limit: Annotated[int, Field(ge=1, le=100)] = 10
    mode: SearchMode = SearchMode.HYBRID
    document_ids: Annotated[list[DocumentId], Field(max_length=1000)] | None = None
    file_type: list[FileType] | FileType | None = None
    min_cosine: Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)] | None = None

    @property
    def file_types(self) -> list[str] | None:
        """The wanted file types; None for all."""
        return [self.file_type] if isinstance(self.file_type, str) else self.file_type

    @property
    def needs_vector(self) -> bool:
        """True where the query has to be embedded."""
        return self.mode is not SearchMode.WORDS


class Hit(WireModel):
    """A chunk; hits are ordered by ``score``, 0 to 1.

    ``cosine`` is that of its embedding and the query's, -1 to 1, and ``words`` its share of the BM25 of its
    passage; each is null where the mode does not go by it. ``highlights`` are where words of the query stand in
    ``text``: from the first code point to behind the last.
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
    cosine: float | None
    words: float | None
    highlights: list[tuple[int, int]]


class SearchResult(WireModel):
    """The hits, best first; what they were found by, and the model whose vectors were compared, if any were."""

    mode: SearchMode
    model: str | None
    items: list[Hit]


async def search(
    engine: AsyncEngine,
    caller: Caller,
    request: SearchRequest,
    embedding: QueryEmbedding | Awaitable[QueryEmbedding] | None,
) -> SearchResult:
    """Return the chunks that fit best, of the documents that are embedded and visible to the caller.

    ``embedding`` is the query's, known or on its way; None where the mode needs none. While it is on its way the
    words are looked for, and no connection waits for it.
    """
    scope, view = Scope(caller, request.document_ids, request.file_types), TermView(caller)
    side, vector = await asyncio.gather(_by_words(engine, scope, view, request), _arrived(embedding))
    async with snapshot(engine) as connection:
        found = await find_candidates(connection, scope, request.mode, request.limit, side, vector)
        ranking = Ranking(
            found.candidates,
            request.mode,
            per_side=per_side(request.limit),
            limit=request.limit,
            min_cosine=request.min_cosine,
        )
        terms = WantedByLanguage(side.query.terms)
        chunks = await _settle(connection, ranking, found, terms, request.limit)
        best = ranking.best()
        missing = [found.spans[one.candidate.key] for one in best if one.candidate.key not in chunks]
        chunks |= await read_chunks(connection, missing)
    if side.query.is_view_wanted:
        await want_counted(engine, view)
    hits = await asyncio.to_thread(_hits, best, chunks, terms)
    return SearchResult(mode=request.mode, model=vector.model if vector else None, items=hits)


async def _by_words(engine: AsyncEngine, scope: Scope, view: TermView, request: SearchRequest) -> WordSide:
    async with snapshot(engine) as connection:
        return await find_matches(connection, scope, view, request.query, request.mode, request.limit)


async def _arrived(embedding: QueryEmbedding | Awaitable[QueryEmbedding] | None) -> QueryEmbedding | None:
    return embedding if embedding is None or isinstance(embedding, QueryEmbedding) else await embedding


async def _settle(
    connection: AsyncConnection, ranking: Ranking, found: Candidates, terms: WantedByLanguage, limit: int
) -> dict[ChunkKey, FoundChunk]:
    """Find out which chunks of the best passages have the words; return the chunks that were read."""
    chunks: dict[ChunkKey, FoundChunk] = {}
    while undecided := ranking.undecided(limit):
        matches = {found.matches[one.key] for one in undecided}
        spans = {match.span for match in matches}
        # With them, in the same answer, those that are among the best without any words.
        also = {found.spans[one.candidate.key] for one in ranking.best() if one.candidate.key not in chunks}
        read = await read_chunks(connection, spans | also)
        # In a thread: a hundred hits take a twentieth of a second, in which all streams would stand still.
        shares = await asyncio.to_thread(shares_of, matches, read, terms)
        # A chunk that is gone by now has none.
        ranking.settle({one.key: 0.0 for one in undecided} | shares)
        chunks |= read
    return chunks


def _hits(
    best: Sequence[ScoredCandidate], chunks: dict[ChunkKey, FoundChunk], terms: WantedByLanguage
) -> list[Hit]:
    return [_hit(one, chunks[one.candidate.key], terms) for one in best if one.candidate.key in chunks]


def _hit(scored: ScoredCandidate, chunk: FoundChunk, terms: WantedByLanguage) -> Hit:
    return Hit(
        document_id=chunk.document_id,
        filename=chunk.filename,
        title=chunk.title,
        chunk_index=chunk.index,
        text=chunk.text,
        headings=chunk.headings,
        page_start=chunk.page_start,
        page_end=chunk.page_end,
        score=scored.score,
        cosine=scored.candidate.cosine,
        words=scored.candidate.words,
        highlights=chunk.highlights(terms),
    )
