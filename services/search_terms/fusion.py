"""Makes one order of what is near to a query and what has its words.

Either side scores in its own measure, so each is brought to 0 to 1 by the range of its best candidates, and half of
each is the score. (That found more than reciprocal ranks, which forget how far apart two hits are.) A candidate
that only one side has brought comes with its exact value on the other, so nothing has to be made up for it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class SearchMode(StrEnum):
    """What a search goes by."""

    HYBRID = "hybrid"
    SEMANTIC = "semantic"
    WORDS = "words"


@dataclass(frozen=True)
class Candidate:
    """A chunk that may be a hit.

    ``cosine`` is that of its vector and the query's, None where no vector was asked for; ``words`` its share of the
    BM25 of its passage, 0 if it has no word of the query, None where no words were.
    """

    document_id: str
    chunk_index: int
    cosine: float | None
    words: float | None


@dataclass(frozen=True)
class ScoredCandidate:
    """A candidate with its score, 0 to 1."""

    candidate: Candidate
    score: float


def fused(
    candidates: Iterable[Candidate],
    mode: SearchMode,
    *,
    per_side: int,
    limit: int,
    min_cosine: float | None = None,
) -> list[ScoredCandidate]:
    """Return the best candidates, at most ``limit``, best first.

    ``per_side`` is how many candidates each side was asked for: so many of its best values make its range, and what
    is below that range has 0 of it, as if it had not been found there. ``min_cosine`` leaves out what is less near
    and has no word of the query. Of equal score, what has more of the words comes first: so the only chunk with a
    part number comes before the one that is nearest and has nothing of it. Then comes the nearer, then document
    and chunk by their ids. Candidates named twice count once.
    """
    wanted = [one for one in dict.fromkeys(candidates) if _is_wanted(one, mode, min_cosine)]
    scores = _scores(wanted, mode, per_side)
    scored = [ScoredCandidate(one, score) for one, score in zip(wanted, scores, strict=True)]
    return sorted(scored, key=_place)[:limit]


def _is_wanted(one: Candidate, mode: SearchMode, min_cosine: float | None) -> bool:
    has_words = mode is not SearchMode.SEMANTIC and (one.words or 0.0) > 0
    if mode is SearchMode.WORDS:
        return has_words
    return has_words or min_cosine is None or (one.cosine or 0.0) >= min_cosine


def _scores(candidates: Sequence[Candidate], mode: SearchMode, per_side: int) -> list[float]:
    cosines = [one.cosine or 0.0 for one in candidates]
    words = [one.words or 0.0 for one in candidates]
    if mode is SearchMode.SEMANTIC:
        return [min(max(cosine, 0.0), 1.0) for cosine in cosines]
    if mode is SearchMode.WORDS:
        return _parts_of(max(words, default=0.0), words)
    near, named = _normalized(cosines, per_side), _normalized(words, per_side)
    return [(a + b) / 2 for a, b in zip(near, named, strict=True)]


def _normalized(values: Sequence[float], per_side: int) -> list[float]:
    """Min-max over the best; where they are all alike they are all the best, unless they are nothing."""
    best = sorted(values, reverse=True)[: max(per_side, 1)]
    if not best or best[0] <= 0:
        return [0.0] * len(values)
    lowest, highest = best[-1], best[0]
    if lowest == highest:
        return [float(value >= lowest) for value in values]
    return [max(value - lowest, 0.0) / (highest - lowest) for value in values]


def _parts_of(highest: float, values: Sequence[float]) -> list[float]:
    return [value / highest if highest > 0 else 0.0 for value in values]


def _place(scored: ScoredCandidate) -> tuple[float, float, float, str, int]:
    one = scored.candidate
    return -scored.score, -(one.words or 0.0), -(one.cosine or 0.0), one.document_id, one.chunk_index
