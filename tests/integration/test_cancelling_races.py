"""Whatever cancels, deletes, completes, fails, retries and redelivers at once: each attempt ends once."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.commands import StageCommand
from contracts.events import LogEvent, StatusEvent
from contracts.failures import DocumentFailed, FailureCode
from contracts.lanes import Lane
from contracts.statuses import TERMINAL, Status
from services.lifecycle.attempts import open_next_attempt, start_attempt
from services.lifecycle.document_attempt import Lock, locked_attempt
from services.lifecycle.document_statements import mark_deleted, record_outcome
from services.lifecycle.outcome import cancel, fail, publish_outcome
from services.lifecycle.status_reporter import StatusReporter
from services.runtime.database.tables import attempts, documents
from services.runtime.errors import Superseded, Unavailable
from services.runtime.messaging.publisher import Publisher

pytestmark = pytest.mark.anyio

DAMAGED = DocumentFailed(FailureCode.CORRUPT, "The file is damaged.")


class Log(Publisher):
    """The log; the broker refuses some events, and takes its time for all."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.events: list[StatusEvent] = []

    async def event(self, event: LogEvent) -> None:
        await asyncio.sleep(self.dice.random() / 200)
        if self.dice.random() < 0.1:
            raise Unavailable("broker", "it is away")
        assert isinstance(event, StatusEvent)
        self.events.append(event)

    async def command(self, command: StageCommand, lane: Lane = Lane.FIRST) -> None:
        pass


@dataclass
class Racers:
    """Everybody who has to do with one document; each of them may come at any time."""

    engine: AsyncEngine
    reporter: StatusReporter
    document_id: str
    dice: random.Random

    async def run(self) -> None:
        actors = [self.cancel, self.cancel, self.parse, self.embed, self.fail, self.retry, self.redeliver]
        for _ in range(8):
            racing = [self._act(actor) for actor in self.dice.sample(actors, 4)]
            await asyncio.gather(*racing)
        if self.dice.random() < 0.3:
            await asyncio.gather(self._act(self.delete), self._act(self.cancel), self._act(self.embed))

    async def _act(self, actor: Callable[[], Awaitable[None]]) -> None:
        await asyncio.sleep(self.dice.random() / 100)
        with suppress(Superseded, Unavailable):
            await actor()

    async def cancel(self) -> None:
        attempt = await cancel(self.engine, self.reporter, self.document_id)
        await publish_outcome(self.engine, self.reporter, *attempt.key)

    async def parse(self) -> None:
        """Store something for the attempt, as the parser does."""
        async with locked_attempt(self.engine, self.document_id, None) as (connection, attempt):
            row = {"chunk_count": 1, "token_count": 1, "batch_chunks": 1, "batches": 1}
            key = {"document_id": attempt.document_id, "attempt": attempt.attempt}
            known = select(attempts.c.attempt).filter_by(**key)
            if await connection.scalar(known) is None:
                values = {**key, **row, "started_at": datetime.now(UTC)}
                await connection.execute(upsert(attempts).values(values).on_conflict_do_nothing())
            await self.reporter.publish(self.reporter.event(attempt, Status.PARSING, "parsing"))

    async def embed(self) -> None:
        async with locked_attempt(self.engine, self.document_id, None, lock=Lock.WRITING) as (
            connection,
            attempt,
        ):
            event = self.reporter.event(attempt, Status.EMBEDDED, "embedded")
            await record_outcome(connection, attempt, event, is_visible=True)
        await publish_outcome(self.engine, self.reporter, *attempt.key)

    async def fail(self) -> None:
        async with locked_attempt(self.engine, self.document_id, None) as (_, attempt):
            pass
        await fail(self.engine, self.reporter, attempt, DAMAGED, "parsing")

    async def retry(self) -> None:
        async with locked_attempt(self.engine, self.document_id, None, even_if_done=True) as (_, attempt):
            pass
        opened = await open_next_attempt(self.engine, self.document_id, ended=attempt.attempt)
        await start_attempt(self.engine, self.reporter, opened)

    async def redeliver(self) -> None:
        """Publish what is not published, as the sweeper and each delivery do."""
        async with locked_attempt(self.engine, self.document_id, None, even_if_done=True) as (_, attempt):
            pass
        await publish_outcome(self.engine, self.reporter, *attempt.key)

    async def delete(self) -> None:
        async with self.engine.begin() as connection:
            await mark_deleted(connection, self.document_id)


@pytest.mark.parametrize("seed", range(3))
async def test_an_attempt_ends_once_and_a_cancelled_one_leaves_nothing_behind(
    engine: AsyncEngine, seed: int
) -> None:
    dice = random.Random(seed)  # noqa: S311 - guards nothing
    log = Log(dice)
    reporter = StatusReporter(log, "test")
    names = [f"document-{number}" for number in range(6)]
    now = datetime.now(UTC)
    times = dict.fromkeys(("created_at", "attempted_at", "updated_at"), now)
    about = {
        "filename": "a.txt",
        "file_type": "text/plain",
        "size": 1,
        "status": "parsing",
        "status_attempt": 1,
    }
    async with engine.begin() as connection:
        for name in names:
            planted = {"document_id": name, "sha256": name, **times, **about}
            await connection.execute(insert(documents).values(planted))
    await asyncio.gather(*(Racers(engine, reporter, name, dice).run() for name in names))
    async with engine.connect() as connection:
        rows = (await connection.execute(select(documents))).all()
        stored = set((await connection.execute(select(attempts.c.document_id, attempts.c.attempt))).tuples())
    told = defaultdict(list)
    for event in log.events:
        told[event.document_id, event.attempt].append(event)
    for key, events in told.items():
        ends = {event.event_id for event in events if event.status in TERMINAL}
        assert len(ends) <= 1, key
        first_end = next((n for n, event in enumerate(events) if event.status in TERMINAL), len(events))
        assert all(event.status in TERMINAL for event in events[first_end:]), key
    for row in rows:
        for number in range(1, row.attempt):  # each attempt but the last has ended, and was said to have
            assert any(event.status in TERMINAL for event in told[row.document_id, number])
        outcome = row.outcome or {}
        if outcome.get("status") == "failed":
            assert (row.document_id, row.attempt) not in stored
        if row.outcome_published_at is not None:
            assert any(event.status in TERMINAL for event in told[row.document_id, row.attempt])
    assert any(event.metadata.get("code") == "cancelled" for event in log.events)
