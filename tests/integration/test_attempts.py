"""The beginning of an attempt, on the real database."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.commands import StageCommand
from contracts.events import LogEvent
from services.lifecycle.attempts import open_next_attempt, start_attempt
from services.lifecycle.document_attempt import DocumentAttempt
from services.lifecycle.status_reporter import StatusReporter
from services.runtime.database.engine import create_engine
from services.runtime.database.migrate import migrate
from services.runtime.database.tables import documents
from services.runtime.errors import Superseded
from services.runtime.messaging.publisher import Publisher

pytestmark = pytest.mark.anyio

DOCUMENT = DocumentAttempt("document", 1, None, "a.txt", "text/plain", 3)


class Recorder(Publisher):
    """A publisher that keeps what it is given."""

    def __init__(self) -> None:
        self.published: list[str] = []

    async def event(self, event: LogEvent) -> None:
        self.published.append(event.type)

    async def command(self, command: StageCommand) -> None:
        self.published.append(type(command).__name__)


@pytest.fixture
async def engine(fresh_database_url: str) -> AsyncIterator[AsyncEngine]:
    await asyncio.to_thread(migrate, fresh_database_url)
    engine = create_engine(fresh_database_url)
    now = datetime.now(UTC)
    row = {"document_id": "document", "sha256": "x", "status": "parsing_started", "status_attempt": 1}
    times = dict.fromkeys(("created_at", "attempted_at", "updated_at"), now)
    async with engine.begin() as connection:
        await connection.execute(insert(documents).values({**row, **times}))
    yield engine
    await engine.dispose()


async def test_an_attempt_is_announced_before_it_is_asked_for(engine: AsyncEngine) -> None:
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


async def test_no_attempt_begins_before_the_last_has_ended(engine: AsyncEngine) -> None:
    with pytest.raises(Superseded):
        await open_next_attempt(engine, "document", ended=1)


async def test_moments_are_read_in_utc_whatever_the_servers_zone(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        assert await connection.scalar(text("SHOW timezone")) == "UTC"
