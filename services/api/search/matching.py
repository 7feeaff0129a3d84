"""Finds the passages that have words of a query: exactly, or by the index, which knows who has which word."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

from pgvector.sqlalchemy import SPARSEVEC
from sqlalchemy import ColumnElement, Float, Integer, Select, and_, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from services.api.search.parameters import LIMIT, once
from services.api.search.scope import SHAPES, Scope, ScopeShape
from services.api.search.term_views import TermView, begin_by_words, read_statistics
from services.runtime.database.passage_tables import passages
from services.runtime.database.tables import documents
from services.search_terms.bm25 import (
    QueryTerms,
    Statistics,
    essential_dimensions,
    query_dimensions,
    query_terms,
)
from services.search_terms.dimensions import DIMENSIONS, sparsevec
from services.search_terms.terms import query_words

MOST_READ = 5_000
"""Passages that a search reads at most, of all that have a word of it: those with the rarest words."""

MOST_WORDS = 512
"""Of a query of pages those that it begins with: each is counted among the passages."""

MORE = 8
"""So many times as many are read in the next turn, where those had too few that may be shown."""

_KEY = (passages.c.document_id, passages.c.attempt, passages.c.first, passages.c.last)
_SCORE: ColumnElement[float] = (
    -passages.c.weights.op("<#>", return_type=Float())(once("vector", SPARSEVEC(DIMENSIONS)))
).label("words")
_SHOWN = and_(
    documents.c.document_id == passages.c.document_id, documents.c.visible_attempt == passages.c.attempt
)


@dataclass(frozen=True)
class WordQuery:
    """The words of a query, weighed by what the caller may see."""

    view: TermView
    terms: QueryTerms
    statistics: Statistics
    is_view_wanted: bool

    @property
    def vector(self) -> str:
        """The query's side of the inner product, a ``sparsevec``."""
        return sparsevec(self.terms.vector)

    def essential(self, most: int | None = None) -> list[int]:
        """Return the dimensions of the rarest words, which ``most`` passages have together; None for all."""
        return essential_dimensions(self.terms, self.statistics, 2**62 if most is None else most)


@dataclass(frozen=True)
class Match:
    """A passage from its ``first`` to its ``last`` chunk, and its BM25; 0 where it has no word of the query."""

    document_id: str
    attempt: int
    first: int
    last: int
    words: float

    @property
    def span(self) -> tuple[str, int, int, int]:
        """Where its chunks are: a document, an attempt, and the first and the last index."""
        return self.document_id, self.attempt, self.first, self.last


async def read_query(connection: AsyncConnection, view: TermView, query: str) -> WordQuery:
    """Return the words of a query in the languages that the caller may see, with their weights.

    Sets what statements on words need for the rest of the transaction.
    """
    every_word = query_words(query, await begin_by_words(connection, view))
    words = Counter(dict(islice(every_word.items(), MOST_WORDS)))
    known = await read_statistics(connection, view, query_dimensions(words))
    return WordQuery(view, query_terms(words, known.statistics), known.statistics, known.is_wanted)


async def matching(
    connection: AsyncConnection, scope: Scope, query: WordQuery, *, limit: int, least: int, is_few: bool
) -> list[Match]:
    """Return the ``limit`` passages of the scope with most of the words, best first.

    Where some words of the query are rare, not all passages are looked at that have but the frequent ones.
    ``least`` are returned all the same, or all that there are.
    """
    if not query.terms.weights:
        return []
    values = {**scope.values, "vector": query.vector, "limit": limit}
    if is_few:
        return await _read(connection, _exactly(scope.shape), values)
    most, every = MOST_READ, query.essential()
    while True:
        dimensions = query.essential(most)
        by_index = {**values, **query.view.values, "dimensions": dimensions}
        found = await _read(connection, _by_index(scope.shape, query.view.condition), by_index)
        if len(found) >= least or len(dimensions) == len(every):
            return found
        most *= MORE


async def _read(connection: AsyncConnection, best: Select[Any], values: Mapping[str, object]) -> list[Match]:
    return [Match(*row) for row in await connection.execute(best, values)]


@lru_cache(SHAPES)
def _exactly(shape: ScopeShape) -> Select[Any]:
    """All that may be shown, found by their documents."""
    shown = select(*_KEY, _SCORE).select_from(documents).join(passages, _SHOWN).where(*shape.conditions)
    found = shown.cte("found").prefix_with("MATERIALIZED")
    return select(found).where(found.c.words > 0).order_by(found.c.words.desc()).limit(LIMIT)


@lru_cache(SHAPES)
def _by_index(shape: ScopeShape, is_seen: str) -> Select[Any]:
    """Those of the caller's view that have one of the dimensions; the best of them that are in the scope."""
    has_one = passages.c.dimensions.overlap(bindparam("dimensions", type_=ARRAY(Integer)))
    found = select(*_KEY, _SCORE).where(has_one, text(is_seen)).cte("found").prefix_with("MATERIALIZED")
    best = select(found).where(found.c.words > 0).order_by(found.c.words.desc()).subquery("best")
    is_shown = and_(
        documents.c.document_id == best.c.document_id, documents.c.visible_attempt == best.c.attempt
    )
    shown = select(best).join(documents, is_shown).where(*shape.conditions)
    return shown.order_by(best.c.words.desc()).limit(LIMIT)
