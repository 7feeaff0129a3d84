"""What reading from far back costs: the archive in an embedded database, without broker or browser.

CPU time of this process and of the database's, for all entries, an owner's and a document's, and what a note's
events cost the projector.

    python -m bench.fanout.far_back [--entries 200000]
"""

import argparse
import asyncio
import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.events import StatusEvent
from contracts.statuses import Status
from local.backing.postgres import EmbeddedPostgres
from services.api.access.caller import LOCAL_USER, Caller
from services.api.archive.archive_reader import ArchiveReader
from services.api.log.entry import Entry
from services.api.log.position import Position
from services.api.projection.projection_position import move_position
from services.api.projection.projector import apply
from services.api.stream.filters import Filter, View
from services.api.stream.sse import encode_entry
from services.runtime.database.engine import create_engine
from services.runtime.database.migrate import migrate

BATCH = 500
OWNERS = 1000
RARE = 25_000
"""Between two events of the document that is looked for."""

VIEWS = {
    "all, every step": View(LOCAL_USER, Filter(), every_step=True),
    "all, newest progress": View(LOCAL_USER, Filter()),
    "an owner's": View(Caller("owner7", sees_all=False), Filter(), every_step=True),
    "a document's": View(LOCAL_USER, Filter(document_ids=frozenset({"rare"})), every_step=True),
    "all that failed (none)": View(LOCAL_USER, Filter(statuses=frozenset({"failed"}))),
}


def event(number: int) -> StatusEvent:
    """An event as a busy pipeline has them; of each document two hundred."""
    return StatusEvent(
        event_id=f"{number:032x}",
        document_id=f"{number // 200:032x}" if number % RARE else "rare",
        status=Status.EMBEDDING,
        message="Embedded 32 of 64 chunks.",
        metadata={
            "filename": "annual-report.pdf",
            "fileType": "application/pdf",
            "embeddedCount": 32,
            "chunkCount": 64,
        },
        timestamp=datetime.now(UTC),
        owner_id=f"owner{number % OWNERS}",
        source="embedder",
    )


def database_seconds(directory: Path) -> float:
    """CPU time of the database's processes."""
    total = 0.0
    for process in _database(directory):
        for one in (process, *process.children(recursive=True)):
            total += sum(one.cpu_times()[:2])
    return total


def _database(directory: Path) -> Iterator[psutil.Process]:
    pid = int(next(directory.rglob("postmaster.pid")).read_text().split()[0])
    yield psutil.Process(pid)


async def write(engine: AsyncEngine, count: int) -> float:
    """Archive so many entries, and return this process's CPU seconds for it, without their encoding."""
    position, spent = Position.start(), 0.0
    async with engine.begin() as connection:
        await move_position(connection, position, position)
    for start in range(0, count, BATCH):
        batch = []
        for number in range(start, start + BATCH):
            one = event(number)
            batch.append(Entry(Position.of(number, one.event_id), one, 0))
            batch[-1].encoded(encode_entry)
        began = time.process_time()
        position = await apply(engine, position, batch[-1].position, (), kept=batch)
        spent += time.process_time() - began
    return spent


async def read(reader: ArchiveReader, view: View) -> tuple[int, int]:
    """Read all of it, and return the numbers of frames and of statements."""
    position, frames, steps = Position.start(), 0, 0
    while stretch := await reader.read(view, position, is_lagging=True):
        position, frames, steps = stretch.reached, frames + stretch.data.count(b"\n\n"), steps + 1
    return frames, steps


async def measure(url: str, directory: Path, count: int) -> None:
    """Write, read and print."""
    engine = create_engine(url)
    before = database_seconds(directory)
    spent = await write(engine, count)
    database = database_seconds(directory) - before
    async with engine.begin() as connection:
        await connection.execute(text("ANALYZE log_entries"))
        size = await connection.scalar(
            text(
                "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits"
                " WHERE inhparent = 'log_entries'::regclass"
            )
        )
    print(
        f"written: {spent / count * 1e6:.1f} µs an entry here, {database / count * 1e6:.1f} µs in the database,"
    )
    print(f"  {int(size or 0) / count:.0f} bytes an entry")
    reader = ArchiveReader(engine)
    for name, view in VIEWS.items():
        before, own, began = database_seconds(directory), time.process_time(), time.perf_counter()
        frames, steps = await read(reader, view)
        seconds = time.perf_counter() - began
        own, database = time.process_time() - own, database_seconds(directory) - before
        print(
            f"{name}: {frames} frames in {steps} statements, {seconds * 1e3:.0f} ms;"
            f" CPU {own * 1e3:.0f} ms here, {database * 1e3:.0f} ms in the database:"
            f" {count / (own + database):,.0f} entries a CPU-second"
        )
    await engine.dispose()


def main() -> None:
    """Start a database of the bench's own, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=200_000)
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="stagecast-far-back-"))
    database = EmbeddedPostgres(directory / "postgres", durable=False)
    database.start()
    try:
        migrate(database.url)
        asyncio.run(measure(database.url, directory, options.entries // BATCH * BATCH))
    finally:
        database.stop()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
