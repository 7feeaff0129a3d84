"""What is known of queues: one look is not enough to call a queue lost that was fine, and the sentence names it."""

from contracts import stages, topology
from services.runtime.messaging.queue_state import QueueReport, QueueState
from services.runtime.messaging.queue_watch import QueueWatch

PARSE = topology.work_queue("parse")
FINE, DOWN, MISSING = (QueueReport(state) for state in (QueueState.FINE, QueueState.DOWN, QueueState.MISSING))


def watch() -> QueueWatch:
    return QueueWatch("amqp://nowhere", topology.queues())


def test_a_queue_that_was_fine_is_lost_when_two_looks_in_a_row_say_so() -> None:
    queues = watch()
    lost = []
    for report in (FINE, DOWN, FINE, DOWN, DOWN, FINE):
        queues.note(PARSE, report)
        lost.append(queues.trouble() is not None)
    assert lost == [False, False, False, False, True, False]


def test_a_queue_that_never_was_fine_is_lost_at_the_first_look() -> None:
    queues = watch()
    queues.note(PARSE, DOWN)
    assert (queues.trouble() or "").startswith("the queue stagecast.parse is down")


def test_the_sentence_names_one_and_counts_the_others_and_who_needs_none_of_them_hears_nothing() -> None:
    queues = watch()
    queues.note(topology.LOG, MISSING)
    queues.note(PARSE, DOWN)
    trouble = queues.trouble() or ""
    assert trouble.startswith("the queue stagecast.events.log is missing")
    assert trouble.endswith("(and 1 more with it)")
    assert queues.trouble(topology.QUERY) is None


def test_what_waits_in_a_queue_is_known_since_it_was_looked_at() -> None:
    queues = watch()
    assert queues.waiting(PARSE) == 0
    queues.note(PARSE, QueueReport(QueueState.FINE, 7))
    assert queues.waiting(PARSE) == 7


def test_a_stage_needs_its_own_queues_that_of_the_next_stage_and_the_log() -> None:
    needed = {queue.name.removeprefix("stagecast.") for queue in topology.queues_of(stages.named("parse"))}
    retries = {"parse.retry.5", "parse.retry.30", "parse.retry.300"}
    lanes = {"parse", "parse.bulk", "embed", "embed.bulk"}
    assert needed == {"events.log", "parse.dead", "dead.report"} | lanes | retries
