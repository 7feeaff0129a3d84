import pytest

from services.runtime.errors import Unavailable, is_transient
from services.runtime.messaging.acknowledgement import MAX_TRIES, MAX_TRIES_OF_BUGS, retry_delay
from services.runtime.messaging.headers import died_at_the_broker


def test_delays_grow_and_end() -> None:
    delays = [retry_delay(tries) for tries in range(1, MAX_TRIES + 1)]
    assert delays[-1] is None
    waits = [delay for delay in delays if delay is not None]
    assert waits == sorted(waits)
    assert {5, 30, 300} == set(waits)


def test_a_bug_is_given_up_within_a_minute() -> None:
    delays = [retry_delay(tries, is_transient=False) for tries in range(1, MAX_TRIES_OF_BUGS + 1)]
    assert delays[-1] is None
    assert sum(filter(None, delays)) <= 60


@pytest.mark.parametrize(
    "error", [Unavailable("broker", "away"), MemoryError(), OSError(28, "no space left")]
)
def test_what_passes_by_itself_is_tried_again(error: Exception) -> None:
    assert is_transient(error)


@pytest.mark.parametrize("error", [ValueError("a bug"), KeyError("a bug"), AssertionError()])
def test_a_bug_is_no_absence(error: Exception) -> None:
    assert not is_transient(error)


@pytest.mark.parametrize(
    ("headers", "died"),
    [
        ({}, False),
        ({"x-death": "nonsense"}, False),
        ({"x-death": [{"reason": "expired", "queue": "stagecast.parse.retry.5"}]}, False),
        ({"x-death": [{"reason": "delivery_limit", "queue": "stagecast.parse"}]}, True),
        ({"x-death": [{"reason": "expired"}, {"reason": "rejected"}]}, True),
    ],
)
def test_waiting_in_a_retry_queue_is_not_dying(headers: dict[str, object], died: bool) -> None:
    assert died_at_the_broker(headers) is died
