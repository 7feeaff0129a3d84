"""What terms weigh: BM25 as an inner product of two sparse vectors, a passage's and a query's.

A passage's weights are made once, when it is stored. So the length that is usual is a constant, and no average of
what happens to be there: passages are cut to much the same length, ``B`` is small, and whose texts are short would
else tell so to all others by their scores.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from services.search_terms.dimensions import dimension
from services.search_terms.terms import TermCounts, TermKind, Word

K1 = 0.9
B = 0.4
"""The values of Anserini, with which BM25 is measured on BEIR; taken from there, and not tuned."""

USUAL_LENGTH = 160
"""Words of a passage of technical English; BM25's average length."""

MAX_ENTRIES = 1_000
"""Of a passage: so many postings at most has it in the index."""

MAX_QUERY_TERMS = 256
"""Of a query of a whole page those count that fewest passages have."""

FORM_WEIGHT = 0.25
"""What it adds that a word stands in the very form that was asked for, beside its stem."""

LEAST_PART = 0.1
"""A word that weighs less than this part of the heaviest of its query is left out where MANY_PASSAGES have it: it
would be looked for in every fourth passage, and order little. So no language needs a list of stop words."""

MANY_PASSAGES = 1_000
"""In fewer a word costs nothing, and one that is in all of a few documents may well be what they are about."""

_KEPT_FIRST = (TermKind.IDENTIFIER, TermKind.STEM, TermKind.WORD, TermKind.BIGRAM)
"""An identifier is found by nothing else; bigrams overlap, so that one that is missing hides no word."""


@dataclass(frozen=True)
class Statistics:
    """What is known of the passages that may be shown.

    ``frequencies`` has the number of passages by dimension; one that is missing counts as in none.
    """

    passage_count: int
    frequencies: Mapping[int, int]


@dataclass(frozen=True)
class QueryTerms:
    """The terms of a query, each with its weight."""

    weights: Mapping[str, float]

    @cached_property
    def vector(self) -> dict[int, float]:
        """The weights by dimension: the query's side of the inner product."""
        vector: dict[int, float] = {}
        for term, weight in self.weights.items():
            at = dimension(term)
            vector[at] = max(weight, vector.get(at, 0.0))
        return vector


def passage_weights(counted: TermCounts) -> dict[int, float]:
    """Return the weights of a passage's terms by dimension, at most MAX_ENTRIES, each above 0 and below K1 + 1."""
    frequencies: dict[int, int] = {}
    for term in _kept(counted.counts):
        at = dimension(term)
        frequencies[at] = max(counted.counts[term], frequencies.get(at, 0))
    damping = K1 * (1 - B + B * counted.length / USUAL_LENGTH)
    return {at: count * (K1 + 1) / (count + damping) for at, count in frequencies.items()}


def query_dimensions(words: Iterable[Word]) -> list[int]:
    """Return the dimensions whose frequencies ``query_terms`` needs."""
    return sorted({dimension(key) for word in words for key in word.keys})


def query_terms(words: Counter[Word], statistics: Statistics) -> QueryTerms:
    """Weigh the words of a query: the rarer, the more.

    The terms of a word are one to its weight: that of the most frequent. So a stem that only other languages'
    texts have, rare in them, does not outweigh the stem that is meant.
    """
    frequencies = {word: _frequency(word, statistics) for word in words}
    idf = {word: inverse_frequency(statistics.passage_count, found) for word, found in frequencies.items()}
    floor = LEAST_PART * max((idf[word] for word, found in frequencies.items() if found), default=0.0)
    weights: dict[str, float] = {}
    # Words that occur come first: of a long query nothing else may take their places.
    for word in sorted(words, key=lambda word: (frequencies[word] == 0, -idf[word])):
        is_common = idf[word] < floor and frequencies[word] >= MANY_PASSAGES
        if not is_common and len(weights) < MAX_QUERY_TERMS:
            _add(weights, word, idf[word] * words[word])
    return QueryTerms(weights)


def essential_dimensions(query: QueryTerms, statistics: Statistics, most_passages: int) -> list[int]:
    """Return the dimensions that candidates have to have one of: the rarest, in about ``most_passages`` together.

    The rarest is always among them. A passage that has but the others, which many have, would rarely be among the
    best; looked for by all words, a query would read every second passage. Forms of words are no help, since a
    passage with one has the stem too.
    """
    at = sorted({dimension(term) for term in query.weights if not term.startswith(TermKind.WORD)})
    at.sort(key=lambda one: statistics.frequencies.get(one, 0))
    together = accumulate(statistics.frequencies.get(one, 0) for one in at)
    return [
        one
        for place, (one, total) in enumerate(zip(at, together, strict=True))
        if not place or total <= most_passages
    ]


def inverse_frequency(passage_count: int, frequency: int) -> float:
    """Return ln(1 + (N - n + ½) / (n + ½)), which is above 0 for every frequency n up to N."""
    frequency = min(frequency, passage_count)
    return math.log(1 + (passage_count - frequency + 0.5) / (frequency + 0.5))


def shares(query: QueryTerms, chunks: Sequence[Mapping[str, int]]) -> list[float]:
    """Return how much each chunk of a passage has of what the passage was found by.

    Of each chunk, how often it has each of the query's terms (``terms.WantedTerms``) or any term.
    That is 1 for the chunk with most of it, less for the others, and 0 for those without any word of the query. All
    have 0 if none of them has any: then the passage was found by words of its own that only share a dimension.

    To count the terms of a chunk takes up to half a millisecond, so a search does it for its best passages alone.
    """
    own = [
        sum(
            weight * count * (K1 + 1) / (count + K1)
            for term, weight in query.weights.items()
            if (count := chunk.get(term, 0))
        )
        for chunk in chunks
    ]
    most = max(own, default=0.0)
    return [weight / most if most > 0 else 0.0 for weight in own]


def _kept(counts: Mapping[str, int]) -> Iterable[str]:
    if len(counts) <= MAX_ENTRIES:
        return counts
    order = {kind.value: place for place, kind in enumerate(_KEPT_FIRST)}
    return sorted(counts, key=lambda term: (order[term[0]], -counts[term]))[:MAX_ENTRIES]


def _frequency(word: Word, statistics: Statistics) -> int:
    return max(statistics.frequencies.get(dimension(key), 0) for key in word.keys)


def _add(weights: dict[str, float], word: Word, weight: float) -> None:
    for terms, part in ((word.keys, 1.0), (word.forms, FORM_WEIGHT)):
        for term in terms:
            weights[term] = weights.get(term, 0.0) + part * weight
