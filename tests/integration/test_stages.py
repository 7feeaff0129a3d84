"""A third, made-up stage goes through everything, though nothing knows it but its row in the table of stages."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import aio_pika
import pytest
from faststream.rabbit.message import RabbitMessage
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts import stages, topology
from contracts.commands import StageCommand
from contracts.failures import FailureCode
from contracts.lanes import Lane
from contracts.stages import StageSpec
from services.api.audit.comparison import audit
from services.api.log.event_log import EventLog
from services.api.projection.projector import Projector
from services.api.recovery.dead_letter_consumer import dead_letter_router
from services.api.recovery.dead_letters import DeadLetter, DeadLetterQueues
from services.api.routes.asyncapi_routes import describe_queues
from services.lifecycle.attempts import send_command
from services.lifecycle.status_reporter import StatusReporter
from services.runtime.database.migrate import migrate
from services.runtime.database.tables import documents
from services.runtime.errors import Unavailable
from services.runtime.messaging.declare import declare_topology
from services.runtime.messaging.queue_state import QueueReport, QueueState
from services.runtime.object_store import ObjectStore
from services.runtime.process.background import cancel_all
from services.runtime.process.settings import CommonSettings
from services.runtime.process.stage_app import StageApp

pytestmark = pytest.mark.anyio


class MarkDocument(StageCommand):
    """Put a mark on a document."""


MARK = StageSpec(
    name="mark",
    service="marker",
    stage="marking",
    command=MarkDocument,
    statuses=(),
    crash_code=FailureCode.INTERNAL,
    crash_sentence="The marker failed on the document.",
    next="embed",
)


@dataclass
class Marker:
    """Runs the made-up stage; a document is named for what happens to it."""

    app: StageApp
    engine: AsyncEngine
    rabbitmq_url: str
    tries: Counter[str] = field(default_factory=Counter)
    marked: list[str] = field(default_factory=list)
    lanes: list[Lane] = field(default_factory=list)
    is_mended: bool = False

    async def handle(self, command: StageCommand, message: RabbitMessage) -> None:
        await self._handle(command, Lane.FIRST)

    async def _handle(self, command: StageCommand, lane: Lane) -> None:
        self.lanes.append(lane)
        self.tries[command.document_id] += 1
        if command.document_id == "absent" and self.tries["absent"] == 1:
            raise Unavailable("marker's pen", "it is away")
        if command.document_id == "buggy" and not self.is_mended:
            raise ValueError("a bug of the made-up stage")
        self.marked.append(command.document_id)
        following = stages.following(self.app.spec)
        assert following is not None
        await self.app.publisher.command(
            following.command(document_id=command.document_id, attempt=1, **FIRST)
        )

    async def handle_bulk(self, command: StageCommand, message: RabbitMessage) -> None:
        await self._handle(command, Lane.BULK)

    async def ask(self, document_id: str) -> None:
        await self.app.publisher.command(MarkDocument(document_id=document_id, attempt=1))

    async def waiting(self, queue: str) -> int:
        connection = await aio_pika.connect(self.rabbitmq_url)
        async with connection:
            channel = await connection.channel()
            return (await channel.get_queue(queue)).declaration_result.message_count or 0

    async def dead_letters(self) -> list[DeadLetter]:
        return await DeadLetterQueues(self.engine, self.rabbitmq_url).read()


FIRST = {"batch": 1, "batches": 1, "first": 0, "count": 1}


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(60):
        while not await condition():
            await asyncio.sleep(0.1)


@pytest.fixture
async def marker(
    vhost_url: str, fresh_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Marker]:
    parse, embed = stages.STAGES
    monkeypatch.setattr(stages, "STAGES", (replace(parse, next="mark"), MARK, embed))
    monkeypatch.setattr(topology, "RETRY_SECONDS", (1, 2, 3))
    await asyncio.to_thread(migrate, fresh_database_url)
    await declare_topology(vhost_url)
    settings = CommonSettings(rabbitmq_url=vhost_url, database_url=fresh_database_url)
    app = StageApp.create(stages.named("mark"), settings, connections=6)
    marker = Marker(app, app.engine, vhost_url)
    await insert_documents(app.engine)
    app.consume(marker.handle, prefetch=4, bulk=marker.handle_bulk)
    app.broker.include_router(dead_letter_router(app.engine, StatusReporter(app.publisher, "api")))
    async with projecting(app.engine, vhost_url):
        await app.broker.start()
        yield marker
        await app.broker.stop()
    await app.engine.dispose()


@asynccontextmanager
async def projecting(engine: AsyncEngine, rabbitmq_url: str) -> AsyncIterator[None]:
    log = EventLog(rabbitmq_url)
    tasks = [asyncio.create_task(log.run()), asyncio.create_task(Projector(engine, log).run())]
    try:
        await log.opened()
        yield
    finally:
        await cancel_all(*tasks)


async def insert_documents(engine: AsyncEngine) -> None:
    now = datetime.now(UTC)
    row = {"filename": "a.txt", "file_type": "text/plain", "size": 1}
    row |= {"status": "parsing_started", "status_attempt": 1, "message": "The document waits to be parsed."}
    row |= dict.fromkeys(("created_at", "attempted_at", "updated_at", "commanded_at"), now)
    ids = ("fine", "absent", "buggy")
    async with engine.begin() as connection:
        await connection.execute(
            insert(documents), [row | {"document_id": name, "sha256": name} for name in ids]
        )


async def test_its_commands_reach_it_and_what_follows_is_asked_next(marker: Marker) -> None:
    await marker.ask("fine")
    await until(lambda: marker.waiting("stagecast.embed"))
    assert marker.marked == ["fine"]
    assert await marker.waiting("stagecast.mark") == 0


async def test_it_has_a_lane_for_bulk_and_what_was_tried_there_comes_back_to_it(marker: Marker) -> None:
    await marker.app.publisher.command(MarkDocument(document_id="absent", attempt=1), Lane.BULK)
    await until(lambda: marker.waiting("stagecast.embed"))
    assert marker.tries["absent"] == 2
    assert marker.lanes == [Lane.BULK, Lane.BULK]  # though its retry came to the first


async def test_bulk_goes_to_the_first_lane_where_nobody_takes_from_it(marker: Marker) -> None:
    watch = marker.app.watch.queues
    watch.note(topology.work_queue("mark"), QueueReport(QueueState.FINE, consumers=1))
    watch.note(topology.work_queue("mark", Lane.BULK), QueueReport(QueueState.FINE))
    await marker.app.publisher.command(MarkDocument(document_id="fine", attempt=1), Lane.BULK)
    await until(lambda: marker.waiting("stagecast.embed"))
    assert marker.lanes == [Lane.FIRST]


async def test_the_stage_before_it_asks_it_by_the_table_alone(marker: Marker) -> None:
    await send_command(marker.app.publisher, "fine", 1)
    assert await marker.waiting("stagecast.parse") == 1
    following = stages.following(stages.first())
    assert following is not None
    for command in following.command.for_attempt("fine", 1):
        await marker.app.publisher.command(command)
    await until(lambda: marker.waiting("stagecast.embed"))
    assert marker.marked == ["fine"]


async def test_what_was_absent_is_tried_again_after_its_own_retry_queue(marker: Marker) -> None:
    await marker.ask("absent")
    await until(lambda: marker.waiting("stagecast.embed"))
    assert (marker.tries["absent"], marker.marked) == (2, ["absent"])


async def test_a_bug_ends_in_its_dead_letters_tells_the_owner_and_is_redriven(marker: Marker) -> None:
    await marker.ask("buggy")
    await until(marker.dead_letters)
    (letter,) = await marker.dead_letters()
    assert (letter.stage, letter.document_id, letter.deaths) == ("mark", "buggy", 3)
    await until(lambda: failure_of(marker.engine, "buggy"))
    assert await failure_of(marker.engine, "buggy") == ("internal", "marking", MARK.crash_sentence)
    marker.is_mended = True
    assert await DeadLetterQueues(marker.engine, marker.rabbitmq_url).redrive(letter.dead_letter_id)
    await until(lambda: marker.waiting("stagecast.embed"))
    assert await marker.dead_letters() == []


async def test_a_body_that_is_none_of_its_commands_is_a_dead_letter_and_fails_nobody(marker: Marker) -> None:
    connection = await aio_pika.connect(marker.rabbitmq_url)
    async with connection:
        channel = await connection.channel()
        await channel.default_exchange.publish(aio_pika.Message(b'{"documentId": 7}'), "stagecast.mark")
    await until(marker.dead_letters)
    (letter,) = await marker.dead_letters()
    assert letter.reason.startswith("malformed: documentId")
    assert await failure_of(marker.engine, "fine") is None


async def test_the_audit_counts_its_queues_and_finds_nothing_amiss(marker: Marker, tmp_path: Path) -> None:
    objects = ObjectStore(tmp_path.as_uri())
    for document_id in ("fine", "absent", "buggy"):
        await objects.put(document_id, content())
    result = await audit(marker.engine, marker.rabbitmq_url, objects)
    assert result.findings == []
    assert {
        "in stagecast.mark",
        "in stagecast.mark.bulk",
        "in stagecast.mark.dead",
        "in stagecast.mark.retry.1",
    } <= result.counts.keys()


async def test_asyncapi_describes_it(marker: Marker) -> None:
    described = describe_queues(marker.rabbitmq_url).subscribers
    names = {subscriber.specification.name.split(":")[0] for subscriber in described}
    assert {"MarkDocument", "MarkDocumentBulk"} <= names


async def content() -> AsyncIterator[bytes]:
    yield b"content"


async def failure_of(engine: AsyncEngine, document_id: str) -> tuple[object, ...] | None:
    query = select(documents.c.error).where(documents.c.document_id == document_id)
    async with engine.connect() as connection:
        error = await connection.scalar(query)
    return (error["code"], error["stage"], error["message"]) if error else None
