"""The beginning of an attempt, on the real database."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from faststream.rabbit.message import RabbitMessage
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.commands import ParseDocument, StageCommand
from contracts.events import LogEvent
from contracts.failures import DocumentFailed, FailureCode
from contracts.lanes import Lane
from services.lifecycle.attempt_watch import while_wanted
from services.lifecycle.attempts import open_next_attempt, start_attempt
from services.lifecycle.document_attempt import DocumentAttempt, Lock, locked_attempt
from services.lifecycle.intake import resolved_command
from services.lifecycle.outcome import cancel, record_failure
from services.lifecycle.status_reporter import StatusReporter
from services.runtime.database.engine import create_engine
from services.runtime.database.tables import documents
from services.runtime.errors import Superseded
from services.runtime.messaging.headers import ATTEMPT_HEADER, MANUAL_HEADER
from services.runtime.messaging.publisher import Publisher

pytestmark = pytest.mark.anyio

DOCUMENT = DocumentAttempt("document", 1, None, "a.txt", "text/plain", 3)


class Recorder(Publisher):
    """A publisher that keeps what it is given."""

    def __init__(self) -> None:
        self.published: list[str] = []

    async def event(self, event: LogEvent) -> None:
        self.published.append(event.type)

    async def command(self, command: StageCommand, lane: Lane = Lane.FIRST) -> None:
        self.published.append(type(command).__name__)


@pytest.fixture
async def engine(migrated_database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(migrated_database_url)
    now = datetime.now(UTC)
    row = {"document_id": "document", "sha256": "x", "status": "parsing_started", "status_attempt": 1}
    times = dict.fromkeys(("created_at", "attempted_at", "updated_at"), now)
    async with engine.begin() as connection:
        await connection.execute(insert(documents).values({**row, **times}))
    yield engine
    await engine.dispose()


async def test_an_attempt_is_reported_before_its_command_is_sent(engine: AsyncEngine) -> None:
    recorder = Recorder()
    await start_attempt(engine, StatusReporter(recorder, "api"), DOCUMENT)
    assert recorder.published == ["document_processing", "ParseDocument"]


@pytest.mark.parametrize(
    "meanwhile", [{"deleted_at": func.now()}, {"attempt": 2}, {"outcome": {"status": "failed"}}]
)
async def test_nothing_is_said_of_a_document_that_was_deleted_or_moved_on_meanwhile(
    engine: AsyncEngine, meanwhile: dict[str, object]
) -> None:
    async with engine.begin() as connection:
        await connection.execute(update(documents).values(**meanwhile))
    recorder = Recorder()
    await start_attempt(engine, StatusReporter(recorder, "api"), DOCUMENT)
    assert recorder.published == []


async def test_an_attempt_begins_though_the_end_of_the_last_is_being_announced(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(select(documents.c.attempt).with_for_update(key_share=True, read=True))
        beginning = asyncio.create_task(open_next_attempt(engine, "document", ended=1))
        await asyncio.wait([beginning], timeout=0.2)
        await connection.execute(update(documents).values(outcome_published_at=func.now()))

    assert (await beginning).attempt == 2


async def test_work_goes_on_while_it_is_wanted_and_ends_within_a_second_when_it_is_not(
    engine: AsyncEngine,
) -> None:
    assert await while_wanted(engine, DOCUMENT, asyncio.sleep(0.6, "done")) == "done"
    for meanwhile in ({"attempt": 2}, {"attempt": 1, "deleted_at": func.now()}):
        work = asyncio.create_task(while_wanted(engine, DOCUMENT, asyncio.sleep(60)))
        async with engine.begin() as connection:
            await connection.execute(update(documents).values(**meanwhile))
        async with asyncio.timeout(1):
            with pytest.raises(Superseded):
                await work


async def test_no_attempt_begins_before_the_last_has_ended(engine: AsyncEngine) -> None:
    with pytest.raises(Superseded):
        await open_next_attempt(engine, "document", ended=1)


async def test_moments_are_read_in_utc_whatever_the_servers_zone(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        assert await connection.scalar(text("SHOW timezone")) == "UTC"


@dataclass
class Raw:
    """What intake sees of a message that a person put in: no ``app_id`` of ours."""

    headers: dict[str, Any] = field(default_factory=dict)
    app_id: str | None = None


class Delivery(RabbitMessage):
    """A delivery of a message that a person put in."""

    def __init__(self, raw: Raw) -> None:
        self.raw_message = raw  # type: ignore[assignment]  # as far as it is looked at


async def test_a_command_by_hand_that_is_tried_again_after_its_end_starts_no_further_attempt(
    engine: AsyncEngine,
) -> None:
    recorder = Recorder()
    reporter = StatusReporter(recorder, "parser")
    delivery, command = Delivery(Raw()), ParseDocument(document_id="document")
    async with resolved_command(engine, reporter, command, delivery) as resolved:
        assert resolved is not None
    # It ended, and the broker was away when that was to be said: the command comes again from a retry queue.
    failure = DocumentFailed(FailureCode.CORRUPT, "The file is damaged.")
    async with locked_attempt(engine, "document", 1, lock=Lock.EXCLUSIVE) as (connection, attempt):
        await record_failure(connection, reporter, attempt, failure, "parsing")
    again = Delivery(Raw({MANUAL_HEADER: True, **delivery.raw_message.headers}))
    async with resolved_command(engine, reporter, command, again) as resolved:
        assert resolved is None
    assert recorder.published == ["document_processing"]
    async with engine.connect() as connection:
        assert await connection.scalar(select(documents.c.attempt)) == 1


BROKERS_DEATH = {ATTEMPT_HEADER: 1, "x-death": [{"reason": "delivery_limit", "queue": "stagecast.parse"}]}


@pytest.mark.parametrize("raw", [Raw(), Raw(BROKERS_DEATH, app_id="stagecast.api")])
async def test_a_command_by_hand_or_a_brokers_dead_letter_moved_back_after_the_end_starts_a_further_attempt(
    engine: AsyncEngine, raw: Raw
) -> None:
    recorder = Recorder()
    reporter = StatusReporter(recorder, "parser")
    failure = DocumentFailed(FailureCode.CORRUPT, "The file is damaged.")
    async with locked_attempt(engine, "document", 1, lock=Lock.EXCLUSIVE) as (connection, attempt):
        await record_failure(connection, reporter, attempt, failure, "parsing")
    command = ParseDocument(document_id="document")
    async with resolved_command(engine, reporter, command, Delivery(raw)) as resolved:
        assert resolved is None
    assert recorder.published == ["document_processing", "document_processing", "ParseDocument"]


async def test_a_cancelled_attempt_ends_once_and_its_further_commands_ask_the_database_nothing(
    engine: AsyncEngine,
) -> None:
    recorder = Recorder()
    reporter = StatusReporter(recorder, "api")
    work = asyncio.create_task(while_wanted(engine, DOCUMENT, asyncio.sleep(60)))
    first, second = await asyncio.gather(*(cancel(engine, reporter, "document") for _ in range(2)))
    assert {first.is_done, second.is_done} == {False, True}
    async with asyncio.timeout(1):
        with pytest.raises(Superseded):
            await work
    command = ParseDocument(document_id="document", attempt=1)
    ours = Delivery(Raw(app_id="stagecast.api"))
    async with resolved_command(engine, reporter, command, ours) as resolved:
        assert resolved is None
    assert recorder.published == ["document_processing"]  # the delivery has published what nobody did before
    async with engine.begin() as connection:
        await connection.execute(text("DROP TABLE documents CASCADE"))
    async with resolved_command(engine, reporter, command, ours) as resolved:
        assert resolved is None
