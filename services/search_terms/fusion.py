"""Makes one order of what is near to a query and what has its words.

Either side scores in its own measure, so each is brought to 0 to 1 by the range of its best candidates, and half of
each is the score. (That found more than reciprocal ranks, which forget how far apart two hits are.) A candidate
that only one side has brought comes with its exact value on the other, so nothing has to be made up for it. A
quotation is as near as can be, whatever else the text around it says, which its vector is made of too.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum


class SearchMode(StrEnum):
    """What a search goes by."""

    HYBRID = "hybrid"
    SEMANTIC = "semantic"
    WORDS = "words"


@dataclass(frozen=True)
class Candidate:
    """A chunk that may be a hit.

    ``cosine`` is that of its vector and the query's, None where no vector was asked for; ``words`` the BM25 of its
    passage, 0 where that has no word of the query, None where no words were asked for. ``is_quotation`` where the
    words stand in it as they were asked for, all in a row.
    """

    document_id: str
    chunk_index: int
    cosine: float | None
    words: float | None
    is_quotation: bool = False

    @property
    def key(self) -> tuple[str, int]:
        """The chunk's document and its index."""
        return self.document_id, self.chunk_index


@dataclass(frozen=True)
class ScoredCandidate:
    """A candidate with its score, 0 to 1; its ``words`` are its share of its passage's."""

    candidate: Candidate
    score: float


@dataclass(frozen=True)
class _Range:
    """The best values of a side, so many as were asked for: from the last of them to the first."""

    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Iterable[float], per_side: int) -> "_Range":
        best = sorted(values, reverse=True)[: max(per_side, 1)]
        return cls(best[-1], best[0]) if best else cls(0.0, 0.0)

    def place(self, value: float) -> float:
        """Bring a value to 0 to 1; where all are alike they are all the best, unless they are nothing."""
        if self.highest <= 0:
            return 0.0
        if self.lowest == self.highest:
            return float(value >= self.lowest)
        return min(max(value - self.lowest, 0.0) / (self.highest - self.lowest), 1.0)


class Ranking:
    """Orders candidates. Those whose passage has words of the query are first settled, by their share of them.

    To count a chunk's share takes far longer than all else here, so it is asked for only where it can still change
    which are the best: no chunk has more of its passage's words than all.
    """

    def __init__(
        self,
        candidates: Iterable[Candidate],
        mode: SearchMode,
        *,
        per_side: int,
        limit: int,
        min_cosine: float | None = None,
    ) -> None:
        """``per_side`` is how many candidates each side was asked for: so many of its best make its range.

        What is below that range has 0 of it, as if it had not been found there. ``min_cosine`` leaves out what is
        less near and has no word of the query. Candidates named twice count once.
        """
        self._mode = mode
        self._limit = limit
        self._min_cosine = min_cosine
        found = list(dict.fromkeys(candidates))
        # A passage counts once, however many chunks it has.
        self._words = _Range.of((words for _, words in {_passage(one) for one in found}), per_side)
        self._cosines = _Range.of((one.cosine or 0.0 for one in found), per_side)
        self._settled: list[ScoredCandidate] = []
        self._waiting = sorted(map(self._scored, filter(self._has_words, found)), key=_place)
        for one in found:
            if not self._has_words(one):
                self._add(one)

    def undecided(self, count: int) -> Sequence[Candidate]:
        """Return candidates, at most ``count``, whose share is to be settled next; none once the order is known."""
        scores = sorted((one.score for one in self._settled), reverse=True)
        least = scores[self._limit - 1] if len(scores) >= self._limit else 0.0
        return [one.candidate for one in self._waiting[:count] if one.score >= least]

    def settle(self, shares: dict[tuple[str, int], float]) -> None:
        """Take the shares that chunks have of their passages' words, by their keys."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            share = shares.get(one.candidate.key)
            if share is None:
                self._waiting.append(one)
            else:
                self._add(replace(one.candidate, words=(one.candidate.words or 0.0) * share))

    def best(self) -> list[ScoredCandidate]:
        """Return the best that are settled, at most ``limit``, best first.

        Of equal score, what has more of the words comes first: so the only chunk with a part number comes before
        the one that is nearest and has nothing of it. Then comes the nearer, then document and chunk by their ids.
        """
        return sorted(self._settled, key=_place)[: self._limit]

    def _has_words(self, one: Candidate) -> bool:
        return self._mode is not SearchMode.SEMANTIC and (one.words or 0.0) > 0

    def _add(self, one: Candidate) -> None:
        if self._is_wanted(one):
            self._settled.append(self._scored(one))

    def _is_wanted(self, one: Candidate) -> bool:
        if self._mode is SearchMode.WORDS:
            return self._has_words(one)
        return self._has_words(one) or self._min_cosine is None or (one.cosine or 0.0) >= self._min_cosine

    def _scored(self, one: Candidate) -> ScoredCandidate:
        cosine, words = one.cosine or 0.0, one.words or 0.0
        if self._mode is SearchMode.SEMANTIC:
            return ScoredCandidate(one, min(max(cosine, 0.0), 1.0))
        if self._mode is SearchMode.WORDS:
            return ScoredCandidate(one, words / self._words.highest if words > 0 else 0.0)
        nearness = 1.0 if one.is_quotation else self._cosines.place(cosine)
        return ScoredCandidate(one, (nearness + self._words.place(words)) / 2)


def _passage(one: Candidate) -> tuple[str, float]:
    """The chunks of a passage have the same value; two passages of a document hardly ever have."""
    return one.document_id, one.words or 0.0


def _place(scored: ScoredCandidate) -> tuple[float, float, float, str, int]:
    one = scored.candidate
    return -scored.score, -(one.words or 0.0), -(one.cosine or 0.0), one.document_id, one.chunk_index
