"""Jain's index that windows reach with a made-up worker: turns are given by the real statements in a real database.

Time is counted, not measured, so that no neighbour on the machine changes a figure. Ten owners upload as many
documents each, at once or, which is harder, one owner after the other; the worker ends one document each fifth of a
second, of bulk each fourth while there are both. Without windows each owner's documents stand as they came.

    python -m bench.flow.turns [--each 100] [--seconds 30]
"""

import argparse
import asyncio
import logging
import statistics
import tempfile
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import structlog
from sqlalchemy import delete, insert, update
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.flow.fairness import indexes
from bench.flow.load import Ended
from contracts.commands import StageCommand
from contracts.events import LogEvent
from contracts.lanes import Lane
from local.backing.postgres import EmbeddedPostgres
from services.api.api_settings import ApiSettings
from services.api.log.event_log import EventLog
from services.api.recovery.turns import Turns
from services.lifecycle.attempts import start_attempt
from services.lifecycle.document_attempt import DocumentAttempt
from services.lifecycle.status_reporter import StatusReporter
from services.lifecycle.turn_statements import Shares
from services.runtime.database.engine import create_engine
from services.runtime.database.migrate import migrate
from services.runtime.database.tables import documents
from services.runtime.messaging.publisher import Publisher

STEP_SECONDS = 0.2
UPLOADS_A_STEP = 4
OWNERS = 10
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
NO_WINDOWS = replace(ApiSettings().shares, owner_share=10**9, owner_window=10**9, bulk_window=10**9)


@dataclass
class Queues(Publisher):
    """The queues of a stage, and a worker that takes from them."""

    lanes: dict[Lane, deque[str]] = field(default_factory=lambda: {lane: deque() for lane in Lane})
    _taken_first: int = 0

    async def event(self, event: LogEvent) -> None:
        """Nobody asks for it."""

    async def command(self, command: StageCommand, lane: Lane = Lane.FIRST) -> None:
        """Put it into its queue."""
        self.lanes[lane].append(command.document_id)

    def take(self) -> str | None:
        """Take the next document: of bulk after three of the first lane."""
        first, bulk = self.lanes[Lane.FIRST], self.lanes[Lane.BULK]
        if first and not (bulk and self._taken_first >= 3):
            self._taken_first += 1
            return first.popleft()
        self._taken_first = 0
        return bulk.popleft() if bulk else None


@dataclass
class Worker:
    """Uploads documents in an order, and ends one in each step."""

    engine: AsyncEngine
    shares: Shares
    queues: Queues = field(default_factory=Queues)

    async def run(self, owners: Sequence[str]) -> list[Ended]:
        """One document for each name in ``owners``, in this order; when each ended."""
        self.reporter = StatusReporter(self.queues, "api")
        self.turns = Turns(self.engine, self.reporter, self.shares, EventLog(""))
        coming, ended = deque(enumerate(owners)), list[Ended]()
        for step in range(2 * len(owners)):
            for number, owner in [coming.popleft() for _ in range(min(UPLOADS_A_STEP, len(coming)))]:
                await self._upload(f"{owner}.{number}", owner)
            if (document_id := self.queues.take()) is not None:
                owner = document_id.partition(".")[0]
                await self._end(document_id, owner)
                ended.append(Ended(owner, BEGAN + timedelta(seconds=step * STEP_SECONDS)))
        return ended

    async def _upload(self, document_id: str, owner: str) -> None:
        row = {"document_id": document_id, "sha256": document_id, "owner_id": owner, "filename": "a"}
        row |= {"file_type": "text/plain", "status": "parsing_started"}
        times = dict.fromkeys(("created_at", "attempted_at", "updated_at"), datetime.now(UTC))
        async with self.engine.begin() as connection:
            await connection.execute(insert(documents).values(size=1, status_attempt=1, **row, **times))
        attempt = DocumentAttempt(document_id, 1, owner, "a", "text/plain", 1)
        await start_attempt(self.engine, self.reporter, attempt, shares=self.shares)

    async def _end(self, document_id: str, owner: str) -> None:
        async with self.engine.begin() as connection:
            this = update(documents).where(documents.c.document_id == document_id)
            await connection.execute(this.values(outcome={"status": "embedded"}))
        await self.turns.give(owner)


async def measure(url: str, each: int, seconds: float) -> None:
    """Print a line for each order and each choice."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    engine = create_engine(url, pool_size=3)
    owners = [f"owner-{number}" for number in range(OWNERS)]
    orders = {"at once": owners * each, "one after the other": [one for one in owners for _ in range(each)]}
    for order, uploads in orders.items():
        for name, shares in (("windows", ApiSettings().shares), ("no windows", NO_WINDOWS)):
            async with engine.begin() as connection:
                await connection.execute(delete(documents))
            ended = await Worker(engine, shares).run(uploads)
            last_begins = uploads.index(owners[-1]) // UPLOADS_A_STEP * STEP_SECONDS
            found = list(indexes(ended, owners, each, seconds, BEGAN + timedelta(seconds=last_begins)))
            if not found:
                print(f"{order}, {name}: nobody is served beside all others for {seconds:.0f} s", flush=True)
                continue
            told = f"{min(found):.3f} at worst, {statistics.median(found):.3f} in the middle of {len(found)}"
            print(f"{order}, {name}: {told} windows of {seconds:.0f} s", flush=True)
    await engine.dispose()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--each", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=30)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stagecast-bench-") as directory:
        Path(directory).chmod(0o711)
        database = EmbeddedPostgres(Path(directory) / "postgres")
        database.start()
        try:
            migrate(database.url)
            with psycopg.connect(database.url, autocommit=True) as connection:
                connection.execute("ALTER ROLE postgres SET synchronous_commit = off")
            asyncio.run(measure(database.url, asked.each, asked.seconds))
        finally:
            database.stop()


if __name__ == "__main__":
    main()
