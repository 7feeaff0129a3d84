"""The projection survives its own death at any instruction: it equals what a fresh replay of the log gives."""

import asyncio
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import aio_pika
import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts import topology
from contracts.events import DocumentDeleted, LogEvent, StatusEvent
from contracts.statuses import FOLLOWS, Status
from services.api.log.event_log import EventLog
from services.api.log.position import Position
from services.api.projection.projection_position import move_position, read_position
from services.api.projection.projector import Projector, project_next
from services.api.projection.reducer import DocumentState
from services.runtime.database.engine import create_engine
from services.runtime.database.migrate import migrate
from services.runtime.database.tables import documents, projections
from services.runtime.messaging.declare import declare_topology
from services.runtime.process.background import cancel_all

pytestmark = pytest.mark.anyio

EVENTS = 1500
DEATHS = 100
KILLS = 3
SEED = 11
MOMENT = datetime(2026, 11, 22, 6, tzinfo=UTC)
UPLOADED = [f"uploaded-{number}" for number in range(10)]
REPORTED = [f"reported-{number}" for number in range(10)]
PROJECTED = [documents.c.document_id, documents.c.filename, documents.c.owner_id] + [
    documents.c[name] for name in DocumentState.__dataclass_fields__
]

PROJECTOR = """
import asyncio, sys
from services.api.log.event_log import EventLog
from services.api.projection.projector import Projector
from services.runtime.database.engine import create_engine

async def main():
    log = EventLog(sys.argv[1])
    feeding = asyncio.create_task(log.run())
    await log.opened()
    print("opened", flush=True)
    await Projector(create_engine(sys.argv[2]), log).run()

asyncio.run(main())
"""


def random_events(dice: random.Random) -> list[LogEvent]:
    """Documents on their way, with repeats, late comers, new attempts and deletions among them."""
    events: list[LogEvent] = []
    statuses: dict[str, tuple[Status, int]] = {}
    for number in range(EVENTS):
        document_id = dice.choice(UPLOADED + REPORTED)
        moment = MOMENT + timedelta(seconds=number)
        if events and dice.random() < 0.1:
            events.append(dice.choice(events[-20:]))  # a delivery that came again
            continue
        if document_id in REPORTED and dice.random() < 0.03:
            events.append(DocumentDeleted(document_id=document_id, timestamp=moment))
            statuses.pop(document_id, None)
            continue
        status, attempt = statuses.get(document_id, (Status.PARSING_STARTED, 1))
        following = sorted(FOLLOWS[status]) or [Status.PARSING_STARTED]
        status, attempt = dice.choice(following), attempt + (0 if FOLLOWS[status] else 1)
        statuses[document_id] = (status, attempt)
        is_reported = document_id in REPORTED
        events.append(
            StatusEvent(
                event_id=f"e{number}",
                document_id=document_id,
                status=status,
                message=f"event {number}",
                metadata={"filename": f"{document_id}.pdf", "pageCount": number, "chunkCount": 2 * number},
                timestamp=moment,
                attempt=1 if is_reported else attempt,
                source="webhook:other" if is_reported else "parser",
            )
        )
    return events


async def publish(rabbitmq_url: str, events: list[LogEvent], pause: float = 0.0) -> None:
    """Append in order, in small groups, so that the projector always has something to do."""
    async with await aio_pika.connect(rabbitmq_url) as connection:
        channel = await connection.channel(on_return_raises=True)
        exchange = await channel.get_exchange(topology.EVENTS.name, ensure=False)
        for event in events:
            await exchange.publish(aio_pika.Message(event.to_wire(), type=event.type), event.routing_key)
            await asyncio.sleep(pause)


async def prepare(database_url: str) -> AsyncEngine:
    """Tables, and documents that were uploaded here."""
    await asyncio.to_thread(migrate, database_url)
    engine = create_engine(database_url)
    await upload(engine)
    return engine


async def upload(engine: AsyncEngine) -> None:
    """The rows that uploads leave."""
    rows = [
        {
            "document_id": document_id,
            "sha256": document_id,
            "attempt": 10**6,
            "filename": f"{document_id}.pdf",
            "created_at": MOMENT,
            "attempted_at": MOMENT,
            "updated_at": MOMENT,
            "status": "parsing_started",
            "status_attempt": 1,
        }
        for document_id in UPLOADED
    ]
    async with engine.begin() as connection:
        await connection.execute(insert(documents), rows)


async def table(engine: AsyncEngine) -> list[Any]:
    async with engine.connect() as connection:
        query = select(*PROJECTED).order_by(documents.c.document_id)
        return list(await connection.execute(query))


async def position(engine: AsyncEngine) -> Position:
    async with engine.connect() as connection:
        return await read_position(connection)


async def project_until(engine: AsyncEngine, log: EventLog, goal: Position) -> None:
    """Let a projector run until the table is at ``goal``."""
    projecting = asyncio.create_task(Projector(engine, log).run())
    try:
        async with asyncio.timeout(30):
            while (await position(engine)).offset < goal.offset:
                await asyncio.sleep(0.05)
    finally:
        await cancel_all(projecting)


async def die_often(engine: AsyncEngine, log: EventLog, dice: random.Random) -> int:
    """Cancel the projector at random moments of its work; how often it had got somewhere in between.

    Its life is as long as a batch takes on this machine, so that most deaths are in the middle of one.
    """
    reached, advances, life = await position(engine), 0, 0.02
    for _ in range(DEATHS):
        projecting = asyncio.create_task(Projector(engine, log).run())
        await asyncio.sleep(dice.uniform(0.001, life))
        await cancel_all(projecting)
        before, reached = reached, await position(engine)
        advances += reached != before
        life = min(life * 1.3, 0.5) if reached == before else max(life * 0.7, 0.01)
    return advances


def kill_often(rabbitmq_url: str, database_url: str, dice: random.Random) -> None:
    """SIGKILL the projector's process at random moments of its work."""
    for _ in range(KILLS):
        command = [sys.executable, "-c", PROJECTOR, rabbitmq_url, database_url]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"opened\n"
            time.sleep(dice.uniform(0.005, 0.2))
            process.send_signal(signal.SIGKILL)


async def test_a_projector_that_dies_a_hundred_times_leaves_what_a_fresh_replay_gives(
    vhost_url: str, fresh_database_url: str, module_database_url: str
) -> None:
    dice = random.Random(SEED)  # noqa: S311 - the same deaths each time
    await declare_topology(vhost_url)
    dying, fresh = await prepare(fresh_database_url), await prepare(module_database_url)
    log = EventLog(vhost_url)
    feeding = asyncio.create_task(log.run())
    try:
        await log.opened()
        events = random_events(dice)
        half = len(events) // 2
        pouring = asyncio.create_task(publish(vhost_url, events[:half], pause=0.002))
        advances = await die_often(dying, log, dice)
        await pouring
        pouring = asyncio.create_task(publish(vhost_url, events[half:], pause=0.002))
        await asyncio.to_thread(kill_often, vhost_url, fresh_database_url, dice)
        await pouring
        goal = await end_of(log, vhost_url)
        await asyncio.gather(project_until(dying, log, goal), project_until(fresh, log, goal))
        survived, replayed = await table(dying), await table(fresh)
    finally:
        await cancel_all(feeding)
        await dying.dispose()
        await fresh.dispose()
    assert survived == replayed
    assert len(survived) > len(UPLOADED)
    assert advances > 10, "the projector was never alive for long enough to get anywhere"


async def end_of(log: EventLog, rabbitmq_url: str) -> Position:
    """The position of one more event, after everything that was published."""
    last = DocumentDeleted(document_id="nothing", timestamp=MOMENT)
    await publish(rabbitmq_url, [last])
    async with asyncio.timeout(20):
        while not log.head.names(last.event_id):
            await log.wait(log.head, 5)
    return log.head


async def test_two_projectors_at_once_apply_every_event_once(vhost_url: str, fresh_database_url: str) -> None:
    dice = random.Random(SEED + 1)  # noqa: S311 - the same events each time
    await declare_topology(vhost_url)
    engine = await prepare(fresh_database_url)
    logs = [EventLog(vhost_url), EventLog(vhost_url)]
    tasks = [asyncio.create_task(log.run()) for log in logs]
    try:
        await asyncio.gather(*(log.opened() for log in logs))
        tasks += [asyncio.create_task(Projector(engine, log).run()) for log in logs]
        events = random_events(dice)[:400]
        await publish(vhost_url, events)
        goal = await end_of(logs[0], vhost_url)
        await project_until(engine, logs[1], goal)
        together = await table(engine)
        await cancel_all(*tasks[2:])
        async with engine.begin() as connection:
            await connection.execute(projections.delete())
            await connection.execute(documents.delete())
        await upload(engine)
        await project_until(engine, logs[0], goal)
        assert await table(engine) == together
    finally:
        await cancel_all(*tasks)
        await engine.dispose()


async def test_an_event_that_the_table_refuses_is_left_out_and_those_beside_it_are_projected(
    vhost_url: str, fresh_database_url: str
) -> None:
    await declare_topology(vhost_url)
    engine = await prepare(fresh_database_url)
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE documents ADD CHECK (message <> 'refused')"))
    log = EventLog(vhost_url)
    feeding = asyncio.create_task(log.run())
    try:
        await log.opened()
        await publish(vhost_url, [reported(message) for message in ("before", "refused", "after")])
        await project_until(engine, log, await end_of(log, vhost_url))
        names = {row[0] for row in await table(engine)}
    finally:
        await cancel_all(feeding)
        await engine.dispose()
    assert names - set(UPLOADED) == {"before", "after"}


async def test_a_replica_that_lags_behind_waits_and_takes_nobody_back(
    vhost_url: str, fresh_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.api.projection.projector.IDLE_SECONDS", 0.05)
    await declare_topology(vhost_url)
    engine = await prepare(fresh_database_url)
    logs = [EventLog(vhost_url), EventLog(vhost_url)]
    tasks = [asyncio.create_task(log.run()) for log in logs]
    lagging, living = logs
    try:
        await asyncio.gather(*(log.opened() for log in logs))
        await cancel_all(tasks[0])
        lagging._attached.set()  # as while it reads what it has missed
        await publish(vhost_url, [reported("seen-by-one")])
        await project_until(engine, living, goal := await end_of(living, vhost_url))
        assert lagging.head.offset < goal.offset
        assert await project_next(engine, lagging, goal) == goal
        assert await position(engine) == goal
        assert await lagging.ends_before(Position.of(goal.offset + 1000, "never was"))
    finally:
        await cancel_all(*tasks)
        await engine.dispose()


async def test_an_event_of_an_attempt_that_never_began_moves_nothing(
    vhost_url: str, fresh_database_url: str
) -> None:
    await declare_topology(vhost_url)
    engine = await prepare(fresh_database_url)
    log = EventLog(vhost_url)
    feeding = asyncio.create_task(log.run())
    forged = {"status": Status.FAILED, "attempt": 10**6 + 1}
    try:
        await log.opened()
        events = [
            StatusEvent(
                event_id="forged", document_id=UPLOADED[0], timestamp=MOMENT, source="parser", **forged
            ),
            StatusEvent(
                event_id="ours",
                document_id=UPLOADED[0],
                timestamp=MOMENT,
                source="parser",
                status=Status.PARSED,
            ),
        ]
        await publish(vhost_url, list(events))
        await project_until(engine, log, await end_of(log, vhost_url))
        statuses = {row.document_id: row.status for row in await table(engine)}
    finally:
        await cancel_all(feeding)
        await engine.dispose()
    assert statuses[UPLOADED[0]] == "parsed"


def reported(message: str) -> StatusEvent:
    """An external producer's event, whose document is called like its message."""
    return StatusEvent(
        event_id=message,
        document_id=message,
        status=Status.EMBEDDED,
        message=message,
        timestamp=MOMENT,
        source="webhook:other",
    )


async def test_a_batch_that_another_replica_has_applied_is_not_applied_again(fresh_database_url: str) -> None:
    engine = await prepare(fresh_database_url)
    start, reached = Position.start(), Position.of(7, "event")
    try:
        async with engine.begin() as connection:
            await move_position(connection, start, reached)  # there is none yet; it is made
        async with engine.begin() as connection:
            assert await move_position(connection, start, reached) is not None
        async with engine.begin() as connection:
            assert await move_position(connection, start, reached) is None
            assert await read_position(connection) == reached
    finally:
        await engine.dispose()


async def test_a_reader_waits_for_the_projector_no_longer_than_it_is_told_to(vhost_url: str) -> None:
    await declare_topology(vhost_url)
    engine = create_engine("postgresql://nobody@127.0.0.1:1/nothing")  # so the projector gets nowhere
    log = EventLog(vhost_url)
    projector = Projector(engine, log)
    tasks = [asyncio.create_task(one) for one in (log.run(), projector.run())]
    try:
        await log.opened()
        began = time.monotonic()
        async with asyncio.timeout(20):
            await projector.catch_up(seconds=0.2)
        assert time.monotonic() - began >= 0.2
    finally:
        await cancel_all(*tasks)
        await engine.dispose()
