import json
from datetime import UTC, datetime

import jsonschema
import pytest
from pydantic import ValidationError

from contracts import topology
from contracts.commands import ParseDocument
from contracts.events import StatusEvent, event_id
from contracts.schemas import DIRECTORY, schema_files
from contracts.statuses import FOLLOWS, RANK, TERMINAL, Status

EVENT = StatusEvent(
    event_id="e1",
    document_id="d1",
    status=Status.PARSED,
    message="Done.",
    metadata={"chunkCount": 3, "unknown": {"kept": [1, None]}},
    timestamp=datetime(2026, 11, 22, 6, 0, 0, 123456, tzinfo=UTC),
    source="parser",
)


def test_the_schema_files_are_what_the_models_say() -> None:
    assert {path: path.read_text() for path in DIRECTORY.iterdir()} == schema_files()


def test_an_event_on_the_wire_fits_its_schema() -> None:
    schema = json.loads((DIRECTORY / "StatusEvent.json").read_text())
    jsonschema.validate(json.loads(EVENT.to_wire()), schema)


def test_an_event_is_camel_case_with_milliseconds_in_utc() -> None:
    wire = json.loads(EVENT.to_wire())
    assert list(wire) == [
        "eventId", "documentId", "status", "message", "metadata", "timestamp", "ownerId", "attempt", "source",
    ]  # fmt: skip
    assert wire["timestamp"] == "2026-11-22T06:00:00.123Z"


def test_unknown_metadata_passes_through_untouched() -> None:
    assert StatusEvent.decode(EVENT.to_wire()).metadata == EVENT.metadata


@pytest.mark.parametrize("bad", ["", "a b", "a/b", "x" * 129, "ü"])
def test_a_document_id_keeps_to_its_alphabet(bad: str) -> None:
    with pytest.raises(ValidationError):
        ParseDocument(document_id=bad)


def test_a_fact_has_one_id_however_often_it_is_reported() -> None:
    assert event_id("d", 1, Status.PARSING, 5) == event_id("d", 1, Status.PARSING, 5)
    different = {event_id("d", 1, Status.PARSING, 5), event_id("d", 2, Status.PARSING, 5)}
    different |= {event_id("d", 1, Status.PARSING, 6), event_id("e", 1, Status.PARSING, 5)}
    assert len(different) == 4


def test_the_status_machine_is_that_of_the_contract() -> None:
    assert {Status.EMBEDDED, Status.FAILED} == TERMINAL
    assert all(Status.FAILED in followers for status, followers in FOLLOWS.items() if status not in TERMINAL)
    for status, followers in FOLLOWS.items():
        assert all(RANK[follower] >= RANK[status] for follower in followers)


def test_work_queues_have_a_delivery_limit_and_dead_letter_at_least_once() -> None:
    for queue in topology.work_queues():
        assert queue.kind == "quorum"
        assert queue.arguments["x-delivery-limit"] == topology.DELIVERY_LIMIT
        assert queue.arguments["x-dead-letter-strategy"] == "at-least-once"
        assert queue.arguments["x-overflow"] == "reject-publish"


def test_everything_that_is_dead_lettered_goes_somewhere() -> None:
    bound = {(exchange.name, key) for queue in topology.queues() for exchange, key in queue.bindings}
    for queue in topology.queues():
        if target := queue.arguments.get("x-dead-letter-exchange"):
            assert (target, queue.arguments["x-dead-letter-routing-key"]) in bound
