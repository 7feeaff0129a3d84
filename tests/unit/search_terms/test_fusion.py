from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.search_terms.fusion import Candidate, Ranking, ScoredCandidate, SearchMode

QUICK = settings(max_examples=50, deadline=None)

MODES = st.sampled_from(SearchMode)
CANDIDATES = st.lists(
    st.builds(
        Candidate,
        st.sampled_from("abc"),
        st.integers(0, 9),
        st.floats(-1, 1),
        st.just(0.0) | st.floats(0.001, 60),
    ),
    unique_by=lambda one: (one.document_id, one.chunk_index),
)


def chunk(index: int, cosine: float | None, words: float | None) -> Candidate:
    return Candidate("d", index, cosine, words)


def fused(
    candidates: Sequence[Candidate],
    mode: SearchMode,
    *,
    per_side: int,
    limit: int,
    min_cosine: float | None = None,
    shares: Callable[[Candidate], float] = lambda _: 1.0,
    at_once: int = 3,
) -> list[ScoredCandidate]:
    """The order, where chunks have such shares of their passages' words."""
    ranking = Ranking(candidates, mode, per_side=per_side, limit=limit, min_cosine=min_cosine)
    while undecided := ranking.undecided(at_once):
        ranking.settle({one.key: shares(one) for one in undecided})
    return ranking.best()


def order(candidates: list[Candidate], mode: SearchMode = SearchMode.HYBRID, **wanted: float) -> list[int]:
    found = fused(candidates, mode, per_side=100, limit=10, min_cosine=wanted.get("min_cosine"))
    return [one.candidate.chunk_index for one in found]


def test_a_hybrid_score_is_half_of_each_side_by_its_range() -> None:
    near, both, named = chunk(0, 0.9, 0.0), chunk(1, 0.7, 10.0), chunk(2, 0.1, 5.0)
    found = fused([named, near, both], SearchMode.HYBRID, per_side=100, limit=10)
    assert [one.candidate for one in found] == [both, near, named]
    assert [one.score for one in found] == pytest.approx([(0.75 + 1) / 2, 0.5, 0.25])


def test_a_number_that_only_one_chunk_has_comes_before_what_is_only_near() -> None:
    assert order([chunk(0, 0.42, 0.0), chunk(1, 0.40, 0.0), chunk(2, 0.35, 9.0)])[0] == 2


def test_what_is_below_the_best_of_a_side_has_nothing_of_it() -> None:
    candidates = [chunk(0, 0.9, 0.0), chunk(1, 0.8, 0.0), chunk(2, -0.5, 8.0), chunk(3, -0.9, 6.0)]
    found = fused(candidates, SearchMode.HYBRID, per_side=2, limit=10)
    assert {one.candidate.chunk_index: one.score for one in found} == {0: 0.5, 1: 0.0, 2: 0.5, 3: 0.0}


def test_by_meaning_the_score_is_the_cosine_and_never_below_nothing() -> None:
    found = fused([chunk(0, -0.2, None), chunk(1, 0.4, None)], SearchMode.SEMANTIC, per_side=9, limit=9)
    assert [(one.candidate.chunk_index, one.score) for one in found] == [(1, 0.4), (0, 0.0)]


def test_by_words_only_what_has_some_is_found_and_the_best_has_score_1() -> None:
    candidates = [chunk(0, None, 3.0), chunk(1, None, 12.0), chunk(2, None, 0.0)]
    found = fused(candidates, SearchMode.WORDS, per_side=9, limit=9)
    assert [(one.candidate.chunk_index, one.score) for one in found] == [(1, 1.0), (0, 0.25)]


def test_what_is_near_to_nothing_is_left_out_unless_it_has_a_word_of_the_query() -> None:
    candidates = [chunk(0, 0.5, 0.0), chunk(1, 0.1, 0.0), chunk(2, 0.1, 4.0)]
    assert sorted(order(candidates, min_cosine=0.3)) == [0, 2]
    assert sorted(order(candidates, SearchMode.SEMANTIC, min_cosine=0.3)) == [0]
    assert order(candidates, SearchMode.WORDS, min_cosine=0.3) == [2]
    assert order([], min_cosine=0.3) == []


def test_a_single_candidate_is_the_best_of_what_it_has() -> None:
    assert [one.score for one in fused([chunk(0, 0.3, 2.0)], SearchMode.HYBRID, per_side=9, limit=9)] == [1.0]
    assert [one.score for one in fused([chunk(0, 0.3, 0.0)], SearchMode.HYBRID, per_side=9, limit=9)] == [0.5]
    assert [one.score for one in fused([chunk(0, -0.3, 0.0)], SearchMode.HYBRID, per_side=9, limit=9)] == [
        0.0
    ]


def test_of_equal_score_and_words_the_nearer_and_then_the_earlier_comes_first() -> None:
    candidates = [chunk(3, 0.2, 1.0), chunk(1, 0.2, 1.0), replace(chunk(1, 0.2, 1.0), document_id="c")]
    found = fused(candidates, SearchMode.HYBRID, per_side=9, limit=9)
    assert [(one.candidate.document_id, one.candidate.chunk_index) for one in found] == [
        ("c", 1),
        ("d", 1),
        ("d", 3),
    ]
    words = fused([chunk(1, 0.1, 2.0), chunk(2, 0.9, 2.0)], SearchMode.WORDS, per_side=9, limit=9)
    assert [one.candidate.chunk_index for one in words] == [2, 1]


@QUICK
@given(CANDIDATES, MODES, st.integers(1, 9), st.integers(1, 100))
def test_scores_are_ordered_and_between_0_and_1(
    candidates: list[Candidate], mode: SearchMode, per_side: int, limit: int
) -> None:
    found = fused(candidates, mode, per_side=per_side, limit=limit)
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert len(found) <= limit


@QUICK
@given(CANDIDATES, MODES, st.none() | st.floats(-1, 1), st.data())
def test_the_order_of_candidates_and_their_repeats_change_nothing(
    candidates: list[Candidate], mode: SearchMode, min_cosine: float | None, data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(candidates + candidates))
    first, second = (
        fused(one, mode, per_side=5, limit=50, min_cosine=min_cosine) for one in (candidates, shuffled)
    )
    assert first == second


@QUICK
@given(CANDIDATES, st.floats(0.01, 100))
def test_in_which_measure_a_side_scores_changes_no_order(candidates: list[Candidate], unit: float) -> None:
    other = [replace(one, words=(one.words or 0) * unit) for one in candidates]
    first, second = (fused(one, SearchMode.HYBRID, per_side=50, limit=50) for one in (candidates, other))
    by_chunk = {(one.candidate.document_id, one.candidate.chunk_index): one.score for one in second}
    assert [by_chunk[one.candidate.document_id, one.candidate.chunk_index] for one in first] == pytest.approx(
        [one.score for one in first], abs=1e-6
    )


@QUICK
@given(CANDIDATES)
def test_who_is_better_on_both_sides_never_comes_later(candidates: list[Candidate]) -> None:
    place = {
        one.candidate: at for at, one in enumerate(fused(candidates, SearchMode.HYBRID, per_side=5, limit=99))
    }
    for one in candidates:
        for other in candidates:
            if (one.cosine or 0) > (other.cosine or 0) and (one.words or 0) >= (other.words or 0):
                assert place[one] < place[other]


@QUICK
@given(CANDIDATES, MODES, st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.randoms())
def test_shares_that_are_asked_for_only_where_they_matter_give_the_order_that_all_of_them_give(
    candidates: list[Candidate], mode: SearchMode, per_side: int, limit: int, at_once: int, dice: Random
) -> None:
    shares = {one: dice.choice((0.0, dice.random(), 1.0)) for one in candidates}
    few, all_of_them = (
        fused(candidates, mode, per_side=per_side, limit=limit, shares=shares.__getitem__, at_once=count)
        for count in (at_once, 1000)
    )
    assert few == all_of_them


def test_no_share_is_asked_for_that_can_change_nothing() -> None:
    candidates = [chunk(n, 0.5, 100.0 - n) for n in range(50)]
    ranking = Ranking(candidates, SearchMode.WORDS, per_side=50, limit=2)
    assert [one.chunk_index for one in ranking.undecided(4)] == [0, 1, 2, 3]
    ranking.settle({("d", n): 1.0 for n in range(4)})
    assert ranking.undecided(4) == []


def test_a_chunk_without_a_word_of_its_passages_is_no_hit_by_words_and_else_has_none_of_them() -> None:
    neighbours = [chunk(0, 0.4, 8.0), chunk(1, 0.5, 8.0)]
    shares = {0: 1.0, 1: 0.0}
    for mode, expected in ((SearchMode.WORDS, [(0, 8.0)]), (SearchMode.HYBRID, [(0, 8.0), (1, 0.0)])):
        found = fused(neighbours, mode, per_side=9, limit=9, shares=lambda one: shares[one.chunk_index])
        assert [(one.candidate.chunk_index, one.candidate.words) for one in found] == expected
    found = fused(
        neighbours,
        SearchMode.HYBRID,
        per_side=9,
        limit=9,
        min_cosine=0.6,
        shares=lambda one: shares[one.chunk_index],
    )
    assert [one.candidate.chunk_index for one in found] == [0]


def test_a_quotation_comes_before_a_nearer_text_with_most_of_its_words() -> None:
    quoting, near, far = (
        Candidate("d", 0, 0.3, 10.0, is_quotation=True),
        chunk(1, 0.8, 8.0),
        chunk(2, -0.1, 0.0),
    )
    best = fused([near, far, quoting], SearchMode.HYBRID, per_side=50, limit=3)
    assert [(one.candidate.chunk_index, one.score) for one in best[:1]] == [(0, 1.0)]
    assert best[0].candidate.cosine == 0.3
