"""Which lane a document's commands go in, and when it is its owner's turn, against a real database."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.commands import StageCommand
from contracts.events import LogEvent
from contracts.lanes import Lane
from services.api.api_settings import ApiSettings
from services.api.log.event_log import EventLog
from services.api.recovery.turns import Turns
from services.lifecycle.attempts import start_attempt
from services.lifecycle.document_attempt import DocumentAttempt
from services.lifecycle.status_reporter import StatusReporter
from services.runtime.database.engine import create_engine
from services.runtime.database.migrate import migrate
from services.runtime.database.tables import documents
from services.runtime.messaging.publisher import Publisher

pytestmark = pytest.mark.anyio

SHARES = replace(ApiSettings().shares, owner_share=4, owner_window=2, bulk_window=4)
LARGE = SHARES.large_bytes + 1


class Recorder(Publisher):
    """A publisher that keeps commands with their lanes."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Lane]] = []

    async def event(self, event: LogEvent) -> None:
        """Nobody asks for it."""

    async def command(self, command: StageCommand, lane: Lane = Lane.FIRST) -> None:
        self.sent.append((command.document_id, lane))


@pytest.fixture
async def engine(fresh_database_url: str) -> AsyncIterator[AsyncEngine]:
    await asyncio.to_thread(migrate, fresh_database_url)
    engine = create_engine(fresh_database_url, pool_size=3)
    yield engine
    await engine.dispose()


class Uploads:
    """Uploads documents, named by owner and number, and ends them."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.recorder = Recorder()
        self.reporter = StatusReporter(self.recorder, "api")
        self.turns = Turns(engine, self.reporter, SHARES, EventLog(""))

    async def upload(self, owner: str | None, *names: str, size: int = 1, **columns: Any) -> None:
        """Upload one after another."""
        for name in names:
            now = datetime.now(UTC)
            row: dict[str, Any] = {
                "document_id": name,
                "sha256": name,
                "owner_id": owner,
                "filename": "a",
                "file_type": "b",
            }
            row |= {"size": size, "status": "parsing_started", "status_attempt": 1, **columns}
            row |= dict.fromkeys(("created_at", "attempted_at", "updated_at"), now)
            async with self.engine.begin() as connection:
                await connection.execute(insert(documents).values(row))
            attempt = DocumentAttempt(name, 1, owner, "a", "b", size)
            await start_attempt(self.engine, self.reporter, attempt, shares=SHARES)

    async def end(self, *names: str) -> None:
        """End documents, and give turns as is done when that is heard."""
        async with self.engine.begin() as connection:
            ended = update(documents).where(documents.c.document_id.in_(names))
            await connection.execute(ended.values(outcome={"status": "failed"}))
        await self.turns.give_all()

    def taken(self) -> list[tuple[str, Lane]]:
        """What was sent since it was asked last."""
        sent, self.recorder.sent = self.recorder.sent, []
        return sent


@pytest.fixture
def uploads(engine: AsyncEngine) -> Uploads:
    return Uploads(engine)


async def test_an_owners_few_documents_go_first_a_window_at_a_time_and_in_their_order(
    uploads: Uploads,
) -> None:
    await uploads.upload("ann", "a1", "a2", "a3", "a4")
    assert uploads.taken() == [("a1", Lane.FIRST), ("a2", Lane.FIRST)]
    await uploads.end("a2")
    assert uploads.taken() == [("a3", Lane.FIRST)]
    await uploads.upload("bob", "b1")
    await uploads.upload(None, "n1")
    assert uploads.taken() == [("b1", Lane.FIRST), ("n1", Lane.FIRST)]
    await uploads.end("a1", "a3")
    assert uploads.taken() == [("a4", Lane.FIRST)]


async def test_what_an_owner_has_beyond_his_share_is_bulk_and_stays_it(uploads: Uploads) -> None:
    await uploads.upload("ann", *(f"a{number}" for number in range(1, 11)))
    first = [("a1", Lane.FIRST), ("a2", Lane.FIRST)]
    assert uploads.taken() == [*first, *((f"a{number}", Lane.BULK) for number in (5, 6, 7, 8))]
    await uploads.end("a1", "a2", "a5")
    assert sorted(uploads.taken()) == [("a3", Lane.FIRST), ("a4", Lane.FIRST), ("a9", Lane.BULK)]


async def test_the_owners_who_are_in_bulk_share_its_window(uploads: Uploads) -> None:
    await uploads.upload("ann", *(f"a{number}" for number in range(6)), priority="bulk")
    await uploads.upload("bob", *(f"b{number}" for number in range(6)), priority="bulk")
    assert [name for name, _ in uploads.taken()] == ["a0", "a1", "a2", "a3", "b0", "b1"]
    await uploads.end("a0", "a1")  # of whom two are left, which is as much as each may have
    assert uploads.taken() == []
    await uploads.end("a2", "b0")
    assert sorted(uploads.taken()) == [("a4", Lane.BULK), ("b2", Lane.BULK)]


async def test_a_large_document_is_bulk_and_counts_as_many_there_but_not_in_the_share(
    uploads: Uploads,
) -> None:
    await uploads.upload("ann", "large-1", "large-2", "large-3", "large-4", "large-5", size=LARGE)
    await uploads.upload("ann", "small")
    assert uploads.taken() == [("large-1", Lane.BULK), ("small", Lane.FIRST)]
    await uploads.end("large-1")
    assert uploads.taken() == [("large-2", Lane.BULK)]


async def test_several_who_give_turns_at_once_send_each_command_once(uploads: Uploads) -> None:
    await uploads.upload("ann", *(f"a{number}" for number in range(8)), priority="bulk")
    uploads.taken()
    async with uploads.engine.begin() as connection:
        await connection.execute(
            update(documents).values(outcome={}).where(documents.c.commanded_at.is_not(None))
        )
    await asyncio.gather(*(uploads.turns.give_all() for _ in range(3)))
    sent = [name for name, _ in uploads.taken()]
    assert sorted(sent) == ["a4", "a5", "a6", "a7"]


async def test_what_waits_is_not_started_by_whoever_starts_it_twice(uploads: Uploads) -> None:
    await uploads.upload("ann", "a1")
    attempt = DocumentAttempt("a1", 1, "ann", "a", "b", 1)
    assert not await start_attempt(uploads.engine, uploads.reporter, attempt, shares=SHARES)
    assert uploads.taken() == [("a1", Lane.FIRST)]
    async with uploads.engine.connect() as connection:
        assert (await connection.execute(select(documents.c.lane, documents.c.waiting_since))).all() == [
            ("first", None)
        ]
