"""What a producer may leave out of a report is filled in; what it can't mean is refused."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.events import StatusEvent
from contracts.statuses import Status
from services.api.refusals import Refused
from services.api.webhook.reports import decode_report, event_of


def event(**report: Any) -> StatusEvent:
    body = json.dumps({"documentId": "doc", "status": "parsed", **report}).encode()
    return event_of("acme", decode_report("application/json", body), None, None)


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize(
    "nothing", [{}, {"message": None, "metadata": None, "timestamp": None}, {"message": ""}]
)
def test_a_report_of_nothing_but_a_status_has_a_sentence_for_people(
    status: Status, nothing: dict[str, Any]
) -> None:
    filled = event(status=status.value, **nothing)
    assert filled.message.endswith(".")
    assert filled.metadata == ({"error": filled.message} if status is Status.FAILED else {})
    assert (filled.attempt, filled.source, filled.owner_id) == (1, "webhook:acme", None)
    assert abs((datetime.now(UTC) - filled.timestamp).total_seconds()) < 60


def test_what_was_said_stays_as_it_was_said() -> None:
    said = {"message": "12 chunks", "metadata": {"chunkCount": 12, "ours": [None]}, "eventId": "mine"}
    filled = event(**said, timestamp="2026-11-22T06:00:00.5+01:00")
    assert (filled.message, filled.metadata, filled.event_id) == tuple(said.values())
    assert filled.timestamp == datetime(2026, 11, 22, 5, 0, 0, 500_000, UTC)


def test_a_failure_is_told_by_its_reason() -> None:
    assert event(status="failed", metadata={"error": "No disk."}).message == "No disk."
    assert event(status="failed", message="Sorry.").metadata == {"error": "Sorry."}
    both = event(status="failed", message="Sorry.", metadata={"error": "No disk."})
    assert (both.message, both.metadata) == ("Sorry.", {"error": "No disk."})


@pytest.mark.parametrize(
    "moment", [1790000000, "1790000000", "2026-11-22", "2026-11-22T06:00:00", "", True, 1e400]
)
def test_a_time_that_is_not_rfc_3339_is_refused(moment: object) -> None:
    with pytest.raises(Refused) as refused:
        event(timestamp=moment)
    assert refused.value.status in {400, 422}
