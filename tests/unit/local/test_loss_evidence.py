"""When a broker counts as lost, and when it may only be slow."""

from local.backing.loss_evidence import Deaths, DownQueue

LOG = "stagecast.events.log"


def down(*said: str | None, pids: tuple[int, ...] = (), every: float = 5.0) -> bool:
    """Whether a loss is certain after a minute, given what the broker said at each look."""
    evidence = DownQueue()
    for number, queue in enumerate(said):
        evidence.note(queue, pids[number] if pids else 1, number * every)
    return evidence.is_lasting((len(said) - 1) * every, 60)


def test_a_queue_that_is_down_at_every_look_of_a_minute_is_lost() -> None:
    assert down(*[LOG] * 13)
    assert not down(*[LOG] * 12)


def test_a_look_at_which_it_is_not_down_or_the_broker_says_nothing_begins_the_minute_anew() -> None:
    for otherwise in ("", None):
        assert not down(*[LOG] * 6, otherwise, *[LOG] * 12)
        assert down(*[LOG] * 6, otherwise, *[LOG] * 13)


def test_one_queue_after_another_is_a_recovery_and_no_loss() -> None:
    assert not down(*[LOG] * 7, *["stagecast.parse"] * 7)


def test_a_restart_of_the_broker_begins_the_minute_anew() -> None:
    assert not down(*[LOG] * 14, pids=(*[1] * 7, *[2] * 7))


def test_a_few_looks_are_no_proof_however_far_apart() -> None:
    assert not down(*[LOG] * 4, every=30)


def test_a_node_that_fails_three_starts_over_a_minute_is_lost() -> None:
    deaths = Deaths()
    for now in (10.0, 40.0):
        deaths.note(now, counts=True)
    assert not deaths.is_lasting(90, 60)
    deaths.note(69.0, counts=True)
    assert not deaths.is_lasting(69, 60)
    deaths.note(75.0, counts=True)
    assert deaths.is_lasting(75, 60)


def test_a_death_that_something_else_explains_or_a_start_that_succeeds_clears_those_before() -> None:
    deaths = Deaths()
    for now in (10.0, 40.0, 70.0):
        deaths.note(now, counts=True)
    deaths.note(80.0, counts=False)
    assert not deaths.is_lasting(80, 60)
    deaths.note(90.0, counts=True)
    deaths.clear()
    assert not deaths.is_lasting(900, 60)


def test_a_process_of_the_broker_was_fine_if_no_queue_was_down_at_one_look() -> None:
    evidence = DownQueue()
    for said in (LOG, "", LOG):
        evidence.note(said, 1, 0)
    assert evidence.was_fine
    evidence.note(LOG, 2, 0)
    assert not evidence.was_fine
