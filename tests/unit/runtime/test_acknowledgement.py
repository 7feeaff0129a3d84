import pytest

from services.runtime.errors import Unavailable, is_transient
from services.runtime.messaging.acknowledgement import MAX_TRIES, MAX_TRIES_OF_BUGS, Tries, retry_delay
from services.runtime.messaging.headers import BUGS_HEADER, REASON_HEADER, TRIES_HEADER, died_at_the_broker


def test_delays_grow_and_end() -> None:
    delays = [retry_delay(tries, MAX_TRIES) for tries in range(1, MAX_TRIES + 1)]
    assert delays[-1] is None
    waits = [delay for delay in delays if delay is not None]
    assert waits == sorted(waits)
    assert {5, 30, 300} == set(waits)


def test_a_bug_is_given_up_within_a_minute() -> None:
    delays = [retry_delay(tries, MAX_TRIES_OF_BUGS) for tries in range(1, MAX_TRIES_OF_BUGS + 1)]
    assert delays[-1] is None
    assert sum(filter(None, delays)) <= 60


def test_the_first_bug_after_absences_is_not_the_last_try() -> None:
    absent = Unavailable("database", "away")
    tries = Tries()
    for _ in range(MAX_TRIES_OF_BUGS):
        tries = tries.after(absent)
    retried = Tries.of({TRIES_HEADER: tries.absences, BUGS_HEADER: tries.bugs})
    assert retried.after(ValueError("a bug")).delay(ValueError("a bug")) is not None


def test_the_first_absence_after_bugs_waits_as_a_first_one() -> None:
    tries = Tries.of({BUGS_HEADER: MAX_TRIES_OF_BUGS - 1}).after(OSError())
    assert tries.delay(OSError()) == retry_delay(1, MAX_TRIES)


def test_a_dead_letter_that_was_moved_back_begins_a_new_life() -> None:
    assert Tries.of({REASON_HEADER: "gave up", TRIES_HEADER: 12, BUGS_HEADER: 2}) == Tries()
    assert Tries.of({"x-death": [{"reason": "delivery_limit"}], TRIES_HEADER: 11}) == Tries()


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
