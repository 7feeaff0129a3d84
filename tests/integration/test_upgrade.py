"""What the last release has left in the database is taken over, and its processes may still run beside ours."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.commands import StageCommand
from contracts.events import LogEvent, StatusEvent
from contracts.statuses import Status
from services.api.recovery.stalled import MAX_RESENDS, resend_stalled
from services.lifecycle.attempts import open_next_attempt
from services.lifecycle.document_attempt import DocumentAttempt, Lock, locked_attempt
from services.lifecycle.document_statements import record_outcome
from services.lifecycle.outcome import publish_outcome
from services.lifecycle.status_reporter import StatusReporter
from services.runtime.database.engine import create_engine
from services.runtime.database.migrate import migrate
from services.runtime.database.tables import documents
from services.runtime.messaging.publisher import Publisher

pytestmark = pytest.mark.anyio

LAST_RELEASE = "0006"


class Recorder(Publisher):
    """A publisher that keeps what it is given."""

    def __init__(self) -> None:
        self.published: list[object] = []

    async def event(self, event: LogEvent) -> None:
        self.published.append(event)

    async def command(self, command: StageCommand) -> None:
        self.published.append(command)


def ending(document_id: str) -> str:
    event = StatusEvent.now(
        document_id, 1, Status.FAILED, "It failed.", {"code": "corrupt"}, owner_id=None, source="parser"
    )
    return json.dumps(event.model_dump(mode="json", by_alias=True))


INSERT = """
INSERT INTO documents (document_id, filename, file_type, size, sha256, created_at, attempted_at, updated_at,
  commanded_at, status, status_attempt, ending, announced_at, reminders, reminded_at)
VALUES (%(id)s, 'a.txt', 'text/plain', 1, %(id)s, now(), now() - interval '1 day', now() - interval '1 day',
  now() - interval '1 day', 'parsing', 1, %(ending)s, %(announced_at)s, %(reminders)s, %(reminded_at)s)
"""


@pytest.fixture
async def engine(fresh_database_url: str) -> AsyncIterator[AsyncEngine]:
    await asyncio.to_thread(migrate, fresh_database_url, LAST_RELEASE)
    with psycopg.connect(fresh_database_url) as last_release:
        for document_id, announced_at, reminders in (
            ("announced", "2026-11-01T00:00:00Z", 0),
            ("unannounced", None, 0),
            ("tried-out", None, MAX_RESENDS),
        ):
            row = {
                "id": document_id,
                "ending": None if reminders else ending(document_id),
                "announced_at": announced_at,
                "reminders": reminders,
                "reminded_at": "2026-11-01T00:00:00Z" if reminders else None,
            }
            last_release.execute(INSERT, row)
    await asyncio.to_thread(migrate, fresh_database_url)
    engine = create_engine(fresh_database_url)
    yield engine
    await engine.dispose()


async def outcome_of(engine: AsyncEngine, document_id: str) -> tuple[object, ...]:
    query = select(documents.c.outcome, documents.c.outcome_published_at)
    async with engine.connect() as connection:
        return tuple((await connection.execute(query.where(documents.c.document_id == document_id))).one())


async def test_an_ending_that_the_last_release_has_not_announced_is_published(engine: AsyncEngine) -> None:
    recorder = Recorder()
    await publish_outcome(engine, StatusReporter(recorder, "api"), "unannounced", 1)
    (event,) = recorder.published
    assert isinstance(event, StatusEvent)
    assert (event.document_id, event.status) == ("unannounced", Status.FAILED)


async def test_an_ending_that_the_last_release_has_announced_is_not_published_again(
    engine: AsyncEngine,
) -> None:
    recorder = Recorder()
    await publish_outcome(engine, StatusReporter(recorder, "api"), "announced", 1)
    assert recorder.published == []
    assert (await open_next_attempt(engine, "announced", ended=1)).attempt == 2


async def test_reminders_of_the_last_release_count_as_resends(engine: AsyncEngine) -> None:
    recorder = Recorder()
    await resend_stalled(engine, StatusReporter(recorder, "api"), timedelta(seconds=1))
    (event,) = recorder.published
    assert isinstance(event, StatusEvent)
    assert (event.document_id, event.status) == ("tried-out", Status.FAILED)


async def test_what_a_process_of_the_last_release_writes_is_read_by_ours(
    engine: AsyncEngine, fresh_database_url: str
) -> None:
    with psycopg.connect(fresh_database_url) as last_release:
        last_release.execute("UPDATE documents SET announced_at = now() WHERE document_id = 'unannounced'")
        last_release.execute(
            "UPDATE documents SET ending = %s, announced_at = NULL WHERE document_id = 'tried-out'",
            [ending("tried-out")],
        )
    assert (await outcome_of(engine, "unannounced"))[1] is not None
    outcome, published_at = await outcome_of(engine, "tried-out")
    assert isinstance(outcome, dict)
    assert (outcome["documentId"], published_at) == ("tried-out", None)


async def test_what_we_write_is_read_by_a_process_of_the_last_release(
    engine: AsyncEngine, fresh_database_url: str
) -> None:
    event = StatusEvent.model_validate_json(ending("tried-out"))
    attempt = DocumentAttempt("tried-out", 1, None, "a.txt", "text/plain", 1)
    async with locked_attempt(engine, *attempt.key, lock=Lock.EXCLUSIVE) as (connection, _):
        await record_outcome(connection, attempt, event)
    await publish_outcome(engine, StatusReporter(Recorder(), "api"), *attempt.key)
    with psycopg.connect(fresh_database_url) as last_release:
        row = last_release.execute(
            "SELECT ending ->> 'status', announced_at IS NOT NULL FROM documents WHERE document_id = 'tried-out'"
        ).fetchone()
    assert row == ("failed", True)
