import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pgvector import SparseVector

from services.search_terms.bm25 import (
    K1,
    MAX_ENTRIES,
    MAX_QUERY_TERMS,
    USUAL_LENGTH,
    B,
    QueryTerms,
    Statistics,
    essential_dimensions,
    inverse_frequency,
    passage_weights,
    query_dimensions,
    query_terms,
    shares,
)
from services.search_terms.dimensions import DIMENSIONS, dimension, sparsevec
from services.search_terms.terms import TermCounts, WantedTerms, count_terms, query_words

QUICK = settings(max_examples=50, deadline=None)

LENGTHS = st.integers(1, 2000)
COUNTS = st.dictionaries(st.text("abc", min_size=2).map("s".__add__), st.integers(1, 500), min_size=1)


def statistics(passage_count: int = 1000, **frequencies: int) -> Statistics:
    return Statistics(passage_count, {dimension(f"s{stem}"): n for stem, n in frequencies.items()})


def product(query: QueryTerms, passage: dict[int, float]) -> float:
    return sum(weight * passage.get(at, 0.0) for at, weight in query.vector.items())


def test_a_dimension_is_the_same_for_ever() -> None:
    assert [dimension(term) for term in ("srun", "ierr_conn_reset", "b東京")] == [
        196505341, 198357019, 381224843,
    ]  # fmt: skip


@QUICK
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_dimensions_are_those_of_pgvector(term: str) -> None:
    assert 1 <= dimension(term) <= DIMENSIONS == 1_000_000_000


def test_weights_are_written_as_pgvector_reads_them() -> None:
    text = sparsevec({DIMENSIONS: 0.5, 1: 1.25})
    assert text == "{1:1.25,1000000000:0.5}/1000000000"
    assert SparseVector.from_text(text).indices() == [0, DIMENSIONS - 1]
    assert sparsevec({}) == "{}/1000000000"


def test_the_inner_product_is_bm25() -> None:
    counted = count_terms(["bee bee honey wasp"], "en")
    found = query_terms(query_words("bee honey", []), statistics(bee=10, honey=200))
    damping = K1 * (1 - B + B * counted.length / USUAL_LENGTH)
    expected = sum(
        math.log(1 + (1000 - n + 0.5) / (n + 0.5)) * count * (K1 + 1) / (count + damping)
        for n, count in ((10, 2), (200, 1))
    )
    assert product(found, passage_weights(counted)) == pytest.approx(expected)


@QUICK
@given(COUNTS, LENGTHS)
def test_more_of_a_word_weighs_more_within_a_bound(counts: dict[str, int], length: int) -> None:
    weights = passage_weights(TermCounts(counts, length))
    more = passage_weights(TermCounts({term: n + 1 for term, n in counts.items()}, length))
    assert all(0 < weights[at] < more[at] < K1 + 1 for at in weights)


def test_a_passage_of_more_terms_than_can_be_indexed_keeps_identifiers_and_stems() -> None:
    counts = {f"b{n}": 9 for n in range(900)} | {f"w{n}": 1 for n in range(300)}
    counts |= {f"s{n}": 1 for n in range(300)} | {"ierr_conn_reset": 1}
    weights = passage_weights(TermCounts(counts, 1500))
    assert len(weights) == MAX_ENTRIES
    assert all(dimension(term) in weights for term in counts if term[0] in "isw")


@QUICK
@given(st.integers(0, 10**7), st.integers(0, 10**7))
def test_what_fewer_passages_have_weighs_more_and_nothing_weighs_nothing(count: int, frequency: int) -> None:
    assert inverse_frequency(count, frequency) >= inverse_frequency(count, frequency + 1) > 0


def test_the_form_that_was_asked_for_comes_before_others_of_its_word() -> None:
    query = query_terms(query_words("running", ["en"]), statistics(run=10))
    running, runs, none = (passage_weights(count_terms([text], "en")) for text in ("running", "runs", "x"))
    assert product(query, running) > product(query, runs) > product(query, none) == 0


def test_an_exact_word_counts_no_more_because_more_languages_are_searched() -> None:
    passage = passage_weights(count_terms(["running"], "en"))
    few, many = (
        query_terms(query_words("running", languages), statistics(run=10))
        for languages in (["en"], ["en", "de", "fr", "nl"])
    )
    assert product(few, passage) == pytest.approx(product(many, passage))


def test_a_stem_that_only_other_languages_have_does_not_make_a_word_rare() -> None:
    query = query_terms(query_words("running", ["en", "de"]), statistics(run=500, running=1))
    assert query.weights["srun"] == query.weights["srunning"] == inverse_frequency(1000, 500)


def test_words_that_every_passage_has_are_left_out_beside_rarer_ones_and_kept_alone() -> None:
    known = statistics(10_000, the=9900, bee=5, of=9500)
    assert set(query_terms(query_words("the bee", []), known).weights) == {"sbee"}
    assert set(query_terms(query_words("of the", []), known).weights) == {"sof", "sthe"}


def test_of_few_passages_no_word_is_left_out() -> None:
    known = statistics(100, bee=100, wasp=1)
    assert set(query_terms(query_words("bee wasp", []), known).weights) == {"sbee", "swasp"}


def test_a_word_that_no_passage_has_leaves_no_other_out() -> None:
    known = statistics(10, bee=8)
    assert set(query_terms(query_words("bee zyzzyva", []), known).weights) == {"sbee", "szyzzyva"}


def test_of_a_query_of_a_whole_page_the_rarest_words_count() -> None:
    words = [f"word{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(600)]
    known = Statistics(10**6, {dimension(f"s{word}"): 10 + n for n, word in enumerate(words)})
    weights = query_terms(query_words(" ".join(words), []), known).weights
    assert MAX_QUERY_TERMS <= len(weights) < MAX_QUERY_TERMS + 10
    assert f"s{words[0]}" in weights
    assert f"s{words[-1]}" not in weights


def test_a_query_without_words_finds_nothing_and_fails_nothing() -> None:
    query = query_terms(query_words("?! …", ["en"]), Statistics(0, {}))
    assert query.vector == {}
    assert essential_dimensions(query, Statistics(0, {}), 100) == []
    assert shares(query, [{"sx": 1}]) == [0.0]


def test_candidates_are_looked_for_by_the_rarest_words_in_a_bounded_number_of_passages() -> None:
    known = statistics(100_000, bee=5, honey=900, flower=8000, calm=20_000)
    query = query_terms(query_words("calm bee honey flower", []), known)
    assert essential_dimensions(query, known, 1000) == [dimension("sbee"), dimension("shoney")]
    assert essential_dimensions(query, known, 1) == [dimension("sbee")]
    assert len(essential_dimensions(query, known, 10**6)) == 4


def test_the_frequencies_that_a_query_needs_are_those_of_its_stems() -> None:
    words = query_words("running § 12a", ["en", "de"])
    assert query_dimensions(words) == sorted(map(dimension, ("srun", "srunning", "i§12a", "i12a")))


def test_the_chunk_with_the_words_has_the_passages_score() -> None:
    query = query_terms(query_words("calm bees", ["en"]), statistics(calm=20, bee=5))
    texts = ("Keepers calm bees.", "A bee.", "Smoke.")
    wanted = WantedTerms(query.weights.keys(), "en")
    first, second, third = shares(query, [wanted.count([text]) for text in texts])
    assert first == 1.0
    assert 0 < second < 1
    assert third == 0.0


def test_a_passage_that_was_found_by_a_shared_dimension_gives_its_chunks_nothing() -> None:
    assert shares(QueryTerms({"sbee": 2.0}), [count_terms(["wasp"], "en").counts] * 2) == [0.0, 0.0]


@QUICK
@given(
    st.lists(COUNTS, max_size=5),
    st.dictionaries(st.text("abc", min_size=2).map("s".__add__), st.floats(0.01, 20)),
)
def test_shares_are_parts_of_one_and_one_chunk_has_all(
    chunks: list[dict[str, int]], weights: dict[str, float]
) -> None:
    found = shares(QueryTerms(weights), chunks)
    assert all(0 <= share <= 1 for share in found)
    assert not any(found) or max(found) == 1.0
    assert [share > 0 for share in found] == [bool(counts.keys() & weights) for counts in chunks]


def test_words_of_a_query_said_twice_count_twice() -> None:
    words = query_words("bee bee wasp", [])
    assert sorted(words.values()) == [1, 2]
    weights = query_terms(Counter(words), statistics(bee=5, wasp=5)).weights
    assert weights["sbee"] == 2 * weights["swasp"]
