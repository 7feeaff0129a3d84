"""A document never goes back on its way, whatever order its events come in."""

from datetime import UTC, datetime
from typing import Any

import pytest

from cli.document import Document
from cli.document_progress import DocumentProgress
from contracts.events import StatusEvent, event_id
from contracts.statuses import Status


def event(status: Status, attempt: int = 1, **metadata: Any) -> StatusEvent:
    return StatusEvent(
        event_id=event_id("d", attempt, status),
        document_id="d",
        status=status,
        metadata=metadata,
        timestamp=datetime(2026, 11, 22, tzinfo=UTC),
        attempt=attempt,
        source="parser",
    )


@pytest.fixture
def progress() -> DocumentProgress:
    return DocumentProgress.of(Document(document_id="d", status=Status.PARSING_STARTED), "d.pdf")


def test_progress_within_a_stage_moves_it_on(progress: DocumentProgress) -> None:
    assert progress.apply(event(Status.PARSING, pagesDone=1, pageCount=9))
    assert progress.apply(event(Status.PARSING, pagesDone=4, pageCount=9))
    assert (progress.done, progress.total) == (4, 9)


def test_late_progress_is_ignored(progress: DocumentProgress) -> None:
    progress.apply(event(Status.PARSING, pagesDone=4, pageCount=9))

    assert not progress.apply(event(Status.PARSING, pagesDone=3, pageCount=9))
    assert progress.done == 4


def test_an_earlier_status_is_ignored(progress: DocumentProgress) -> None:
    progress.apply(event(Status.EMBEDDING))

    assert not progress.apply(event(Status.PARSING, pagesDone=9))


def test_nothing_follows_the_end_of_an_attempt(progress: DocumentProgress) -> None:
    progress.apply(event(Status.EMBEDDED, embeddingCount=3))

    assert not progress.apply(event(Status.FAILED))
    assert progress.succeeded
    assert progress.chunks == 3


def test_an_attempt_that_is_over_is_ignored() -> None:
    progress = DocumentProgress.of(
        Document(document_id="d", status=Status.PARSING_STARTED, attempt=2), "d.pdf"
    )

    assert not progress.apply(event(Status.FAILED, attempt=1))
    assert not progress.is_done


def test_a_new_attempt_begins_anew(progress: DocumentProgress) -> None:
    progress.apply(event(Status.FAILED, error="No.", code="corrupt"))

    assert progress.apply(event(Status.PARSING_STARTED, attempt=2))
    assert not progress.is_done


def test_metadata_of_strangers_can_hold_anything(progress: DocumentProgress) -> None:
    assert progress.apply(event(Status.PARSING, pagesDone="many", pageCount=None))
    assert progress.apply(event(Status.FAILED, error=None, code=7))
    assert progress.code == "7"
