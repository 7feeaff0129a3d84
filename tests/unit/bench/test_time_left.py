from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from bench.time_left import Told, Watcher, Way, summary

BEGAN = datetime(2026, 11, 28, tzinfo=UTC)


def way(*told: float | None, seconds: int = 100) -> Way:
    """A way on which something was told every ten seconds, from the first second on."""
    moments = [Told(BEGAN + timedelta(seconds=1 + 10 * number), value) for number, value in enumerate(told)]
    return Way(BEGAN, BEGAN + timedelta(seconds=seconds), moments)


@pytest.mark.parametrize(
    ("told", "errors"),
    [
        ((500, 500, 500, 69), [0]),  # what was told before 30 % of the way does not count
        ((0, 0, 0, 138, None, 98), [1, 1]),
        ((0, 0, 0, 0), [1]),
        (tuple([0] * 10 + [1.9]), [1, 1, 1, 1, 1, 1, 1]),  # after the end nothing counts
    ],
)
def test_an_error_is_a_share_of_what_was_left(told: Sequence[float | None], errors: list[float]) -> None:
    assert way(*told).errors() == pytest.approx(errors, abs=0.02)


def test_what_is_off_by_less_than_a_second_is_right() -> None:
    assert way(0, 0, 21.9, 10.2, 1.5, seconds=42).errors() == [0, 0, 0]


def test_growth_is_measured_from_one_number_to_the_next_that_was_told() -> None:
    assert way(50, 20, None, 32, 5, 9).growth() == 12
    assert way(50, 40).growth() == 0


def test_the_summary_tells_documents_numbers_growth_and_silence() -> None:
    text = summary([way(0, 0, 0, 69, 59, None), way(0, 0, 0, 500), way(1)])
    assert "2 of 3 documents" in text
    assert "50% of them" in text
    assert "67% of all 3 numbers; 1 times nothing; worst growth 500.0 s" in text


def test_what_is_told_of_each_document_is_kept_from_all_pages_of_the_list() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        is_second = "cursor" in request.url.params
        assert "embedding" in request.url.params.get_list("status")
        assert "embedded" not in request.url.params.get_list("status")
        item = {"documentId": "b" if is_second else "a", "secondsLeft": None if is_second else 4.5}
        return httpx.Response(200, json={"items": [item], "nextCursor": None if is_second else "next"})

    watcher = Watcher(httpx.Client(base_url="http://x", transport=httpx.MockTransport(answer)))
    watcher.ask()
    watcher.ask()
    assert {key: [one.seconds for one in told] for key, told in watcher.told.items()} == {
        "a": [4.5, 4.5],
        "b": [None, None],
    }
