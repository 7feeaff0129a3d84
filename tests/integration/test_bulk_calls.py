"""Bulk calls: what a filter chose is dealt with once, whatever dies, and nobody else's documents are."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.commands import StageCommand
from contracts.document_calls import OperationKind
from contracts.events import LogEvent, OperationProgress, StatusEvent
from contracts.lanes import Lane
from contracts.statuses import Status
from services.api.access.caller import LOCAL_USER, Caller
from services.api.audit.checks import IDLE, MISCOUNTED
from services.api.documents.admission import Admission
from services.api.documents.deletion import Deletion
from services.api.documents.document_filter import StrictDocumentFilter
from services.api.documents.uploads import Uploads
from services.api.operations.bulk_calls import BulkCalls, NoSuchOperation
from services.api.operations.document_steps import DocumentSteps
from services.api.operations.operation_runner import MOST_UNFINISHED, OperationRunner
from services.api.refusals import Invalid
from services.lifecycle.status_reporter import StatusReporter
from services.lifecycle.turn_statements import Shares
from services.runtime.database.operation_tables import operations
from services.runtime.database.tables import documents
from services.runtime.errors import Unavailable
from services.runtime.messaging.publisher import Publisher
from services.runtime.object_store import ObjectStore
from services.runtime.process.disk_reserve import DiskReserve

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC)
ALICE = Caller("alice", sees_all=False)
BY_NAME = StrictDocumentFilter(name="doc")


class Recorder(Publisher):
    """A publisher that keeps what it is given; ``fails_at`` is the number of the event that the broker refuses."""

    def __init__(self) -> None:
        self.events: list[LogEvent] = []
        self.commands: list[str] = []
        self.fails_at = -1

    async def event(self, event: LogEvent) -> None:
        if len(self.events) == self.fails_at:
            self.fails_at = -1
            raise Unavailable("broker", "it is away")
        self.events.append(event)

    async def command(self, command: StageCommand, lane: Lane = Lane.FIRST) -> None:
        self.commands.append(command.document_id)

    @property
    def progress(self) -> list[tuple[int, bool]]:
        return [(one.done, one.ended) for one in self.events if isinstance(one, OperationProgress)]


@dataclass
class Bulk:
    """Everything of bulk calls but the processes around it; replicas share all but their runner."""

    engine: AsyncEngine
    directory: Path
    recorder: Recorder = field(default_factory=Recorder)

    @property
    def calls(self) -> BulkCalls:
        return BulkCalls(self.engine, DiskReserve([], None))

    def runner(self) -> OperationRunner:
        objects, reporter = ObjectStore(self.directory.as_uri()), StatusReporter(self.recorder, "api")
        disk = DiskReserve([], None)
        shares = Shares(large_bytes=1_000_000, owner_share=1000, owner_window=1000, bulk_window=1000)
        admission = Admission(None)  # type: ignore[arg-type]  # nothing is uploaded
        uploads = Uploads(self.engine, objects, reporter, admission, disk, 60, shares)
        steps = DocumentSteps(uploads, Deletion(self.engine, objects, self.recorder), reporter)
        return OperationRunner(self.engine, self.recorder, steps)

    async def put(self, *names: str, owner_id: str | None = None, **columns: Any) -> None:
        times = dict.fromkeys(("created_at", "attempted_at", "updated_at", "commanded_at"), NOW)
        about = {"file_type": "text/plain", "size": 1, "status": "parsing", "status_attempt": 1}
        async with self.engine.begin() as connection:
            for number, name in enumerate(names):
                row = {"document_id": name, "sha256": name, "filename": f"doc {name}", "owner_id": owner_id}
                moment = {"created_at": NOW + timedelta(seconds=number)}
                await connection.execute(
                    insert(documents).values({**times, **about, **row, **moment, **columns})
                )

    async def column(self, name: str) -> dict[str, Any]:
        query = select(documents.c.document_id, documents.c[name]).order_by(documents.c.document_id)
        async with self.engine.connect() as connection:
            return dict((await connection.execute(query)).tuples().all())

    async def finish(self, runner: OperationRunner | None = None) -> None:
        runner = runner or self.runner()
        async with asyncio.timeout(30):
            while await runner.step():
                pass

    async def findings(self) -> list[Any]:
        async with self.engine.connect() as connection:
            miscounted = (await connection.execute(text(MISCOUNTED))).all()
            idle = await connection.execute(text(IDLE), {"tolerance": timedelta(hours=1)})
            return [*miscounted, *idle.all()]


@pytest.fixture
def bulk(engine: AsyncEngine, tmp_path: Path) -> Bulk:
    return Bulk(engine, tmp_path)


def ended(code: str = "failed") -> dict[str, Any]:
    event = StatusEvent.now("x", 1, Status.FAILED, code, {}, owner_id=None, source="parser")
    outcome = {"outcome": event.model_dump(mode="json", by_alias=True), "outcome_published_at": NOW}
    return {"status": "failed", "error": {"code": "corrupt"}, **outcome}


async def test_what_was_chosen_at_the_call_is_cancelled_and_nothing_else(bulk: Bulk) -> None:
    await bulk.put("a", "b", owner_id="alice")
    await bulk.put("bobs", owner_id="bob")
    await bulk.put("ended", owner_id="alice", **ended())
    assert await bulk.calls.count(ALICE, OperationKind.CANCEL, BY_NAME) == 2
    operation_id, matched = await bulk.calls.begin(ALICE, OperationKind.CANCEL, BY_NAME)
    assert matched == 2
    await bulk.put("later", owner_id="alice")
    await bulk.finish()
    outcomes = await bulk.column("outcome")
    assert [key for key, outcome in outcomes.items() if outcome is None] == ["bobs", "later"]
    codes = {e.document_id: e.metadata["code"] for e in bulk.recorder.events if isinstance(e, StatusEvent)}
    assert codes == {"a": "cancelled", "b": "cancelled"}
    assert bulk.recorder.progress[-1] == (2, True)
    assert (await bulk.calls.read(ALICE, operation_id)).done == 2
    with pytest.raises(NoSuchOperation):
        await bulk.calls.read(Caller("bob", sees_all=False), operation_id)
    assert await bulk.findings() == []


async def test_a_bulk_retry_keeps_few_documents_unfinished_and_tells_its_end(bulk: Bulk) -> None:
    names = [f"{number:03}" for number in range(MOST_UNFINISHED + 5)]
    await bulk.put(*names, **ended())
    await bulk.calls.begin(LOCAL_USER, OperationKind.RETRY, BY_NAME)
    runner = bulk.runner()
    for _ in range(3):
        await runner.step()
    assert bulk.recorder.commands == names[:MOST_UNFINISHED]
    async with bulk.engine.begin() as connection:  # three of them end
        some = documents.c.document_id.in_(names[:3])
        await connection.execute(update(documents).where(some).values(outcome_published_at=NOW))
    await runner.step()
    assert bulk.recorder.commands == names[: MOST_UNFINISHED + 3]
    async with bulk.engine.begin() as connection:
        await connection.execute(update(documents).values(outcome_published_at=NOW))
    await bulk.finish(runner)
    assert bulk.recorder.commands == names
    assert set((await bulk.column("attempt")).values()) == {2}
    assert bulk.recorder.progress[-1] == (len(names), True)
    assert await bulk.findings() == []


@pytest.mark.parametrize("kind", OperationKind)
async def test_whatever_the_broker_refuses_and_whoever_takes_over_each_document_is_counted_once(
    bulk: Bulk, kind: OperationKind
) -> None:
    await bulk.put("a", "b", "c", **({} if kind is OperationKind.CANCEL else ended()))
    operation_id, _ = await bulk.calls.begin(LOCAL_USER, kind, BY_NAME)
    for number in range(6):
        bulk.recorder.fails_at = number
        try:
            await bulk.finish()  # by another replica each time, which waits for no lease
        except Unavailable:
            async with bulk.engine.begin() as connection:
                await connection.execute(update(operations).values(leased_until=NOW - timedelta(days=1)))
    bulk.recorder.fails_at = -1
    await bulk.finish()
    view = await bulk.calls.read(LOCAL_USER, operation_id)
    assert (view.done, view.matched, view.ended) == (3, 3, True)
    assert await bulk.findings() == []
    if kind is OperationKind.DELETE:
        assert None not in (await bulk.column("deleted_at")).values()  # the sweeper ends what was cut short
    if kind is OperationKind.RETRY:
        assert set((await bulk.column("attempt")).values()) == {2}


async def test_replicas_that_work_at_once_share_operations_and_do_nothing_twice(bulk: Bulk) -> None:
    await bulk.put(*(f"{number:03}" for number in range(30)))
    for _ in range(2):
        await bulk.calls.begin(LOCAL_USER, OperationKind.CANCEL, BY_NAME)
    await asyncio.gather(*(bulk.finish(runner) for runner in (bulk.runner(), bulk.runner())))
    ends = [event for event in bulk.recorder.events if isinstance(event, StatusEvent)]
    assert len(ends) == len({event.document_id for event in ends}) == 30
    assert sum(is_ended for _, is_ended in bulk.recorder.progress) == 2


async def test_a_document_that_was_begun_again_meanwhile_is_not_cancelled(bulk: Bulk) -> None:
    await bulk.put("a")
    await bulk.calls.begin(LOCAL_USER, OperationKind.CANCEL, BY_NAME)
    async with bulk.engine.begin() as connection:
        await connection.execute(update(documents).values(attempt=2))
    await bulk.finish()
    assert await bulk.column("outcome") == {"a": None}


async def test_a_filter_that_chooses_by_nothing_is_refused(bulk: Bulk) -> None:
    for empty in (StrictDocumentFilter(), StrictDocumentFilter(status=(), name=None)):
        with pytest.raises(Invalid):
            await bulk.calls.begin(LOCAL_USER, OperationKind.DELETE, empty)
    with pytest.raises(ValueError, match="statuss"):
        StrictDocumentFilter.model_validate({"statuss": ["failed"]})
