from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.embedder.batch_window import Window


@dataclass(frozen=True)
class Waiting:
    number: int
    length: int


def waiting(*lengths: int, first: int = 0) -> list[Waiting]:
    return [Waiting(first + number, length) for number, length in enumerate(lengths)]


def window_of(*lengths: int, max_tokens: int = 100, max_rows: int = 10) -> Window[Waiting]:
    window: Window[Waiting] = Window(max_tokens=max_tokens, max_rows=max_rows)
    window.add(waiting(*lengths))
    return window


@settings(deadline=None)  # how long an example takes is the machine's load
@given(
    waves=st.lists(st.lists(st.integers(1, 120), max_size=20), min_size=1, max_size=6),
    max_tokens=st.integers(1, 300),
    max_rows=st.integers(1, 12),
)
def test_every_row_comes_once_and_every_batch_holds_the_oldest_row(
    waves: list[list[int]], max_tokens: int, max_rows: int
) -> None:
    window = window_of(max_tokens=max_tokens, max_rows=max_rows)
    outstanding: list[Waiting] = []
    arrived = 0
    while waves or outstanding:
        if waves:
            rows = waiting(*waves.pop(), first=arrived)
            arrived += len(rows)
            window.add(rows)
            outstanding += rows
        batch = window.next_batch()
        if outstanding:
            assert outstanding[0] in batch
        assert len(batch) <= max_rows
        assert len(batch) <= 1 or len(batch) * max(row.length for row in batch) <= max_tokens
        assert set(batch) <= set(outstanding)
        outstanding = [row for row in outstanding if row not in batch]
    assert len(window) == 0


def test_rows_of_similar_length_go_together() -> None:
    window = window_of(10, 40, 10, 40, 10, 39)
    assert [row.length for row in window.next_batch()] == [10, 10, 10]
    assert [row.length for row in window.next_batch()] == [40, 40]
    assert [row.length for row in window.next_batch()] == [39]


def test_a_small_batch_takes_rows_of_any_length() -> None:
    assert len(window_of(2, 12, max_tokens=100).next_batch()) == 2


def test_a_row_longer_than_the_budget_goes_alone() -> None:
    assert [row.length for row in window_of(500, 20, 20).next_batch()] == [500]


def test_rows_far_behind_the_oldest_are_out_of_reach() -> None:
    window = window_of(10, *[100] * 20, 10, max_tokens=100)
    assert [row.number for row in window.next_batch()] == [0]


def test_discarded_rows_never_come() -> None:
    window = window_of(10, 20, 10)
    window.discard(lambda row: row.length == 10)
    assert [row.number for row in window.next_batch()] == [1]
    assert window.next_batch() == []


def test_limits_below_one_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        window_of(max_rows=0)
