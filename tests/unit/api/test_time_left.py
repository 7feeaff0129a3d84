"""Time left follows from what was measured, and is null where nothing was."""

from datetime import UTC, datetime, timedelta

import pytest

from contracts.events import StatusEvent
from contracts.statuses import Status
from services.api.pipeline.pace_meter import HALF_LIFE_SECONDS, LONGEST_GAP_SECONDS, Meter, PaceMeter
from services.pacing.time_left import Paces, time_at_pace, time_for_pages_and_chunks, time_left

BEGINNING = datetime(2026, 11, 22, 6, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return BEGINNING + timedelta(seconds=seconds)


def told(
    document: str, status: Status, seconds: float, source: str = "embedder", **counts: int
) -> StatusEvent:
    return StatusEvent(
        event_id=f"{document} {status} {seconds}",
        document_id=document,
        status=status,
        metadata=dict(counts),
        timestamp=at(seconds),
        source=source,
    )


def test_the_rest_takes_as_long_as_what_is_done_did() -> None:
    assert time_left(25, 100, 10.0) == 30.0
    assert time_left(100, 100, 10.0) == 0.0


@pytest.mark.parametrize(
    ("done", "total", "seconds"), [(0, 10, 5.0), (5, 0, 5.0), (5, 10, None), (5, 10, 0.01)]
)
def test_of_too_little_work_nothing_is_said(done: int, total: int, seconds: float | None) -> None:
    assert time_left(done, total, seconds) is None


def test_while_it_is_parsed_a_document_has_its_chunks_before_it_too() -> None:
    paces = Paces(pages=100.0, chunks=50.0, chunks_per_page=5.0)
    assert time_for_pages_and_chunks(10, 20, 2.0, paces) == 2.0 + 20 * 5 / 50
    assert time_for_pages_and_chunks(10, 20, 2.0, Paces()) is None
    assert time_at_pace(10, 0.0) is None


def test_a_pace_is_units_in_the_seconds_of_work_and_pauses_are_no_work() -> None:
    meter = Meter()
    for second in range(11):
        meter.add(20, at(second))
    assert meter.pace == pytest.approx(20, rel=0.15)

    meter.add(20, at(1000))

    assert meter.pace == pytest.approx(20 * 12 / (10 + LONGEST_GAP_SECONDS), rel=0.25)


def test_what_was_measured_long_ago_is_forgotten() -> None:
    meter = Meter()
    for second in range(int(4 * HALF_LIFE_SECONDS)):
        meter.add(100, at(second))
    for second in range(int(8 * HALF_LIFE_SECONDS)):
        meter.add(10, at(4 * HALF_LIFE_SECONDS + second))
    assert meter.pace == pytest.approx(10, rel=0.1)


def test_the_log_tells_the_paces_of_both_stages_and_repeats_count_once() -> None:
    meter = PaceMeter(engine=None, event_log=None)  # type: ignore[arg-type]  # nothing is read or noted
    for second in range(1, 11):
        for _ in range(2):
            meter.take(told("a", Status.EMBEDDING, second, embeddedCount=second * 30, chunkCount=400))
        meter.take(told("b", Status.PARSING, second, "parser", pagesDone=second * 4, pageCount=40))
        meter.take(told("x", Status.EMBEDDING, second, "webhook:other", embeddedCount=second * 9999))
    meter.take(told("b", Status.PARSED, 11, "parser", pageCount=40, chunkCount=200))

    measured = meter.measured()
    assert measured.chunks == pytest.approx(30, rel=0.2)
    assert measured.pages == pytest.approx(4, rel=0.2)
    assert measured.chunks_per_page == pytest.approx(5)
