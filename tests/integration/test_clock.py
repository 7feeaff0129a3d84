"""A clock that is set back or forward: what waits for seconds does not wait for hours, and nothing lives longer."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.events import StatusEvent
from contracts.statuses import Status
from services.api.access.tickets import InvalidTicket, Tickets
from services.api.access.tokens import Claims
from services.api.webhook.receipts import Receipts
from services.runtime.database.migrate import migrate
from services.runtime.database.tables import tickets, webhook_receipts
from tests.integration.test_sweeper import Recorder, put, sweeper
from tests.support.system import System, following, until

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC).replace(microsecond=0)
IN_AN_HOUR = NOW + timedelta(hours=1)
"""What was noted before the clock was set back an hour."""
YESTERDAY = NOW - timedelta(days=1)
"""What was noted before the clock was set forward a day."""


def report(status: Status, source: str) -> StatusEvent:
    return StatusEvent(
        event_id=f"{status}-{source}", document_id="unsaid", status=status, timestamp=NOW, source=source
    )


@pytest.mark.parametrize("noted_at", [IN_AN_HOUR, YESTERDAY])
async def test_what_a_crash_left_half_done_is_ended_at_once_whatever_the_clock_says(
    engine: AsyncEngine, tmp_path: Path, noted_at: datetime
) -> None:
    await put(engine, "unsent", attempted_at=noted_at)
    outcome = report(Status.FAILED, "parser").model_dump(mode="json", by_alias=True)
    await put(engine, "unsaid", updated_at=noted_at, commanded_at=noted_at, outcome=outcome)
    await put(engine, "half-deleted", deleted_at=noted_at, commanded_at=noted_at)
    recorder = Recorder()
    swept = sweeper(engine, recorder, tmp_path)
    assert await swept.dispatch_unsent() == 1
    assert await swept.publish_unpublished() == 1
    assert await swept.finish_deletions() == 1
    assert ("ParseDocument", "unsent") in recorder.published
    assert ("document_processing", "unsaid") in recorder.published
    assert ("document_deleted", "half-deleted") in recorder.published


async def test_a_lost_command_is_sent_again_once_where_all_was_noted_by_a_clock_that_was_set_back(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    await put(engine, "lost", attempted_at=IN_AN_HOUR, commanded_at=IN_AN_HOUR, updated_at=IN_AN_HOUR)
    recorder = Recorder()
    swept = sweeper(engine, recorder, tmp_path)
    assert [await swept.resend_stalled() for _ in range(3)] == [1, 0, 0]
    assert recorder.published == [("ParseDocument", "lost")]


async def test_a_worker_whose_clock_runs_ahead_neither_hides_a_lost_command_nor_has_one_sent_too_often(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    await put(engine, "lost", commanded_at=YESTERDAY, updated_at=IN_AN_HOUR)
    await put(engine, "at-work", commanded_at=datetime.now(UTC), updated_at=IN_AN_HOUR)
    recorder = Recorder()
    swept = sweeper(engine, recorder, tmp_path)
    assert [await swept.resend_stalled() for _ in range(3)] == [1, 0, 0]
    assert recorder.published == [("ParseDocument", "lost")]


async def test_a_ticket_does_not_live_longer_because_the_clock_was_set_back(engine: AsyncEngine) -> None:
    kept = Tickets(engine)
    claims = Claims("anna", frozenset(), None)
    ticket, other = await kept.issue(claims), await kept.issue(claims)
    assert await kept.redeem(other) == claims
    async with engine.begin() as connection:
        await connection.execute(update(tickets).values(expires_at=IN_AN_HOUR))
    with pytest.raises(InvalidTicket):
        await kept.redeem(ticket)


async def test_a_report_whose_publisher_died_is_published_by_its_retry_though_the_clock_was_set_back(
    engine: AsyncEngine,
) -> None:
    receipts, event = Receipts(engine), report(Status.PARSING, "webhook:internal")
    assert await receipts.claim("message", event) == (event, True)
    async with engine.begin() as connection:
        await connection.execute(update(webhook_receipts).values(claimed_until=IN_AN_HOUR))
    async with asyncio.timeout(5):
        assert await receipts.claim("message", event) == (event, True)


SHIFTED_CLOCK = """
CREATE SCHEMA shifted;
CREATE TABLE shifted.clock (ahead interval);
INSERT INTO shifted.clock VALUES ('0');
CREATE FUNCTION shifted.now() RETURNS timestamptz LANGUAGE sql STABLE
  AS 'SELECT pg_catalog.now() + (SELECT ahead FROM shifted.clock)';
DO $$ BEGIN
  EXECUTE format('ALTER DATABASE %I SET search_path = shifted, pg_catalog, public', current_database());
END $$
"""
"""A ``now()`` that is found before PostgreSQL's own, by whoever connects from then on."""


def set_clock(database_url: str, ahead: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE shifted.clock SET ahead = %s", [ahead])


def test_documents_end_and_are_not_sent_again_while_the_database_is_an_hour_behind_or_a_day_ahead(
    own_system: System,
) -> None:
    own_system.modules["embedder"] = "tests.support.fakes.dummy_embedder"
    own_system.settings |= {"SWEEP_SECONDS": "0.2", "GRACE_SECONDS": "5"}
    migrate(own_system.database_url)
    with psycopg.connect(own_system.database_url) as connection:
        connection.execute(SHIFTED_CLOCK)
    own_system.start("api", "parser", "embedder")
    with following(own_system) as stream:
        for ahead in ("-1 hour", "1 day", "0"):
            set_clock(own_system.database_url, ahead)
            document_id = own_system.accept("clock.txt", f"The clock is {ahead} ahead.".encode())
            stream.await_status(document_id, "embedded")
            told = own_system.notify(documentId="external", status="parsing", eventId=f"clock {ahead}")
            assert told.status_code == 202
            until(lambda: own_system.document(document_id)["status"] == "embedded")  # noqa: B023 - called at once
            assert own_system.upload("clock.txt", f"The clock is {ahead} ahead.".encode()).status_code == 200
    assert "command_sent_late" not in own_system.log("api")
    assert "request_failed" not in own_system.log("api")
