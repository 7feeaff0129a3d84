"""What a crash has left half done is ended by the sweeper, step by step."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.commands import StageCommand
from contracts.events import LogEvent, StatusEvent
from contracts.lanes import Lane
from contracts.statuses import Status
from services.api.api_settings import ApiSettings
from services.api.documents.deletion import Deletion
from services.api.log.event_log import EventLog
from services.api.recovery.lost_log import LostLog
from services.api.recovery.sweeper import Sweeper
from services.api.recovery.turns import Turns
from services.lifecycle.status_reporter import StatusReporter
from services.runtime.database.tables import documents, projections
from services.runtime.messaging.publisher import Publisher
from services.runtime.object_store import ObjectStore

pytestmark = pytest.mark.anyio

LONG_AGO = datetime.now(UTC) - timedelta(hours=1)


class Recorder(Publisher):
    """A publisher that keeps the types of what it is given."""

    def __init__(self) -> None:
        self.published: list[tuple[str, str]] = []

    async def event(self, event: LogEvent) -> None:
        self.published.append((event.type, event.document_id))

    async def command(self, command: StageCommand, lane: Lane = Lane.FIRST) -> None:
        self.published.append((type(command).__name__, command.document_id))


def sweeper(engine: AsyncEngine, recorder: Recorder, directory: Path) -> Sweeper:
    deletion = Deletion(engine, ObjectStore(directory.as_uri()), recorder)
    reporter = StatusReporter(recorder, "api")
    settings, lost_log = ApiSettings(), LostLog(engine, reporter)
    turns = Turns(engine, reporter, settings.shares, EventLog(settings.rabbitmq_url))
    return Sweeper(engine, reporter, deletion, settings, lost_log, turns, asyncio.Event())


async def put(engine: AsyncEngine, document_id: str, **columns: Any) -> None:
    row: dict[str, Any] = {
        "document_id": document_id,
        "sha256": document_id,
        "filename": "a.txt",
        "file_type": "text/plain",
    }
    row |= {"size": 1, "status": "parsing_started", "status_attempt": 1, **columns}
    times = dict.fromkeys(("created_at", "attempted_at", "updated_at"), LONG_AGO)
    async with engine.begin() as connection:
        await connection.execute(insert(documents).values({**times, **row}))


async def test_an_attempt_whose_command_was_never_sent_is_said_and_asked_for(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    await put(engine, "unsent")
    await put(engine, "sent", commanded_at=LONG_AGO)
    await put(engine, "just-begun", attempted_at=datetime.now(UTC))
    recorder = Recorder()
    assert await sweeper(engine, recorder, tmp_path).dispatch_unsent() == 1
    assert recorder.published == [("document_processing", "unsent"), ("ParseDocument", "unsent")]
    assert await sweeper(engine, recorder, tmp_path).dispatch_unsent() == 0


async def test_an_attempt_that_the_log_has_heard_of_already_is_asked_for_alone(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    await put(engine, "known", event={"eventId": "known"})
    recorder = Recorder()
    await sweeper(engine, recorder, tmp_path).dispatch_unsent()
    assert recorder.published == [("ParseDocument", "known")]


async def test_a_deletion_that_was_cut_short_is_said_and_leaves_neither_bytes_nor_row(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    await put(engine, "half-deleted", deleted_at=LONG_AGO)
    await put(engine, "alive", commanded_at=LONG_AGO)
    recorder = Recorder()
    swept = sweeper(engine, recorder, tmp_path)
    for document_id in ("half-deleted", "alive"):
        await swept.deletion.objects.put(document_id, content())
    assert await swept.finish_deletions() == 1
    assert recorder.published == [("document_deleted", "half-deleted")]
    assert [document_id async for document_id in swept.deletion.objects.ids()] == ["alive"]
    async with engine.connect() as connection:
        assert (await connection.execute(select(documents.c.document_id))).scalars().all() == ["alive"]


async def content() -> AsyncIterator[bytes]:
    yield b"content"


async def test_what_was_lost_with_a_log_is_sent_again_once_whatever_the_clock_says(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    lost_at = datetime.now(UTC) + timedelta(hours=1)  # the clock was set back since
    async with engine.begin() as connection:
        await connection.execute(
            insert(projections).values(name="documents", position="start", log_began_at=lost_at)
        )
    said = StatusEvent.now("said", 1, Status.FAILED, "It failed.", {}, owner_id=None, source="parser")
    outcome = {"outcome": said.model_dump(mode="json", by_alias=True), "outcome_published_at": LONG_AGO}
    await put(engine, "unfinished", commanded_at=LONG_AGO, resend_count=6)
    await put(engine, "said", commanded_at=LONG_AGO, **outcome)
    await put(engine, "shown", commanded_at=LONG_AGO, **outcome | {"status": "failed"})
    await put(engine, "deleted", commanded_at=LONG_AGO, deleted_at=LONG_AGO)
    await put(engine, "never-sent")
    recorder = Recorder()
    replicas = [sweeper(engine, recorder, tmp_path).lost_log for _ in range(2)]
    async with asyncio.timeout(20):
        assert sum(await asyncio.gather(*(replica.resume() for replica in replicas))) == 2
        assert await sweeper(engine, recorder, tmp_path).lost_log.resume() == 0
    assert sorted(recorder.published) == [("ParseDocument", "unfinished"), ("document_processing", "said")]
