"""What may be a hit: the nearest chunks, and those of passages with most of the words, each with both values."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.commands import QueryEmbedding
from services.api.search.found_chunks import ChunkKey
from services.api.search.matching import Match, WordQuery, matches_of, matching
from services.api.search.nearest import cosines_of, nearest
from services.api.search.scope import Scope
from services.search_terms.fusion import Candidate, SearchMode

LEAST_PER_SIDE = 100
PER_HIT = 3
"""So many candidates of each side for each hit that is wanted: what is best on both may be far from best on one."""

Span = tuple[str, int, int, int]
"""A document, an attempt, and the first and the last index of chunks."""


@dataclass(frozen=True)
class Candidates:
    """Candidates; ``per_side`` as many as each side was asked for. By key where each chunk and its passage are."""

    per_side: int
    candidates: Sequence[Candidate]
    spans: Mapping[ChunkKey, Span]
    matches: Mapping[ChunkKey, Match] = field(default_factory=dict)


async def find_candidates(
    connection: AsyncConnection,
    scope: Scope,
    mode: SearchMode,
    limit: int,
    words: WordQuery,
    embedding: QueryEmbedding | None,
) -> Candidates:
    """Return what may be among the ``limit`` best; ``embedding`` is None by words alone."""
    is_few = await scope.has_few_chunks(connection)
    if embedding is not None and mode is SearchMode.SEMANTIC:
        near = await nearest(connection, scope, embedding, limit, is_few=is_few)
        return Candidates(limit, [_candidate(_key(row), row.cosine, None) for row in near], _spans(near))
    per_side = max(LEAST_PER_SIDE, PER_HIT * limit)
    least = 1 if embedding else limit
    matches = await matching(connection, scope, words, limit=per_side, least=least, is_few=is_few)
    if embedding is None:
        return _joined(per_side, matches, {}, {})
    near = await nearest(connection, scope, embedding, per_side, is_few=is_few)
    matches = list({*matches, *await matches_of(connection, words, map(_place, near))})
    cosines = await cosines_of(connection, embedding, list(map(_span, matches)))
    return _joined(per_side, matches, {_key(row): row.cosine for row in near} | cosines, _spans(near))


def _joined(
    per_side: int, matches: Sequence[Match], cosines: Mapping[ChunkKey, float], spans: Mapping[ChunkKey, Span]
) -> Candidates:
    by_chunk = {
        (match.document_id, index): match for match in matches for index in range(match.first, match.last + 1)
    }
    keys = dict.fromkeys((*spans, *(key for key, match in by_chunk.items() if match.words > 0)))
    candidates = [
        _candidate(key, cosines.get(key), by_chunk[key].words if key in by_chunk else 0.0) for key in keys
    ]
    of_matches = {key: (*_span(match)[:2], key[1], key[1]) for key, match in by_chunk.items()}
    return Candidates(per_side, candidates, {**of_matches, **spans}, by_chunk)


def _candidate(key: ChunkKey, cosine: float | None, words: float | None) -> Candidate:
    return Candidate(*key, cosine, words)


def _spans(rows: Iterable[Row[Any]]) -> dict[ChunkKey, Span]:
    return {_key(row): (row.document_id, row.attempt, row.chunk_index, row.chunk_index) for row in rows}


def _key(row: Row[Any]) -> ChunkKey:
    return row.document_id, row.chunk_index


def _place(row: Row[Any]) -> tuple[str, int, int]:
    return row.document_id, row.attempt, row.chunk_index


def _span(match: Match) -> Span:
    return match.document_id, match.attempt, match.first, match.last
