"""What may be a hit: the nearest chunks, and those of passages with most of the words, each with both values."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.commands import QueryEmbedding
from services.api.search.both_sides import complete
from services.api.search.found_chunks import ChunkKey
from services.api.search.matching import Match, WordQuery, matching, read_query
from services.api.search.nearest import nearest
from services.api.search.quotations import quotations
from services.api.search.scope import Scope
from services.api.search.term_views import TermView
from services.search_terms.fusion import Candidate, SearchMode

LEAST_PER_SIDE = 50
PER_HIT = 3
"""So many candidates of each side for each hit that is wanted: what is best on both may be far from best on one."""

Span = tuple[str, int, int, int]
"""A document, an attempt, and the first and the last index of chunks."""


@dataclass(frozen=True)
class Candidates:
    """Candidates, and by key where each chunk is, and the passage by whose words it was found."""

    candidates: Sequence[Candidate]
    spans: Mapping[ChunkKey, Span]
    matches: Mapping[ChunkKey, Match] = field(default_factory=dict)


@dataclass(frozen=True)
class WordSide:
    """What a search knows before its query is embedded: its words, and the passages and the quotations of them.

    ``is_few`` is whether the chunks of the scope are few.
    """

    query: WordQuery
    is_few: bool
    matches: Sequence[Match]
    quotations: Sequence[Row[Any]] = ()


def per_side(limit: int) -> int:
    """Return how many candidates each side is asked for."""
    return max(LEAST_PER_SIDE, PER_HIT * limit)


async def find_matches(
    connection: AsyncConnection, scope: Scope, view: TermView, query: str, mode: SearchMode, limit: int
) -> WordSide:
    """Return the words of a query, and the passages that may have some of the ``limit`` best chunks."""
    words, is_few = await read_query(connection, view, query), await scope.has_few_chunks(connection)
    if mode is SearchMode.SEMANTIC:
        return WordSide(words, is_few, [])
    least = limit if mode is SearchMode.WORDS else 1
    matches = await matching(connection, scope, words, limit=per_side(limit), least=least, is_few=is_few)
    quoting = await quotations(connection, scope, query, limit) if mode is SearchMode.HYBRID else ()
    return WordSide(words, is_few, matches, quoting)


async def find_candidates(
    connection: AsyncConnection,
    scope: Scope,
    mode: SearchMode,
    limit: int,
    side: WordSide,
    embedding: QueryEmbedding | None,
) -> Candidates:
    """Return what may be among the ``limit`` best; ``embedding`` is None by words alone."""
    if embedding is None:
        return _joined(side.matches, {}, {})
    if mode is SearchMode.SEMANTIC:
        near = await nearest(connection, scope, embedding, limit, is_few=side.is_few)
        return Candidates([Candidate(*_key(row), row.cosine, None) for row in near], _spans(near))
    near = await nearest(connection, scope, embedding, per_side(limit), is_few=side.is_few)
    both = await complete(connection, side.query, embedding, side.matches, [*near, *side.quotations])
    cosines = both.cosines | {_key(row): row.cosine for row in near}
    return _joined(both.matches, cosines, _spans(near), {*map(_key, side.quotations)})


def _joined(
    matches: Collection[Match],
    cosines: Mapping[ChunkKey, float],
    spans: Mapping[ChunkKey, Span],
    quoting: Collection[ChunkKey] = (),
) -> Candidates:
    by_chunk = {
        (match.document_id, index): match for match in matches for index in range(match.first, match.last + 1)
    }
    keys = dict.fromkeys((*spans, *by_chunk))
    candidates = [
        Candidate(*key, cosines.get(key), by_chunk[key].words if key in by_chunk else 0.0, key in quoting)
        for key in keys
    ]
    of_matches = {key: (*match.span[:2], key[1], key[1]) for key, match in by_chunk.items()}
    return Candidates(candidates, {**of_matches, **spans}, by_chunk)


def _spans(rows: Iterable[Row[Any]]) -> dict[ChunkKey, Span]:
    return {_key(row): (row.document_id, row.attempt, row.chunk_index, row.chunk_index) for row in rows}


def _key(row: Row[Any]) -> ChunkKey:
    return row.document_id, row.chunk_index
