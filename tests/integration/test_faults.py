"""What the broker gives up, what gets lost, and who is told: on a system whose workers may be killed."""

import asyncio
import json
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import aio_pika
import httpx
import psycopg
import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from contracts import topology
from services.runtime.messaging.headers import CODE_HEADER, REASON_HEADER
from tests.conftest import running_system
from tests.support.command import STAGECAST, command_environment
from tests.support.documents import SLOW_HTML, pdf
from tests.support.system import Json, System, until

PARSE = topology.work_queue("parse").name

Act = Callable[[AbstractChannel], Awaitable[None]]


@pytest.fixture(scope="module")
def frail(rabbitmq_url: str, management_url: str, module_database_url: str) -> Iterator[System]:
    """An impatient system with a model without weights; every test leaves all three services running."""
    with running_system(rabbitmq_url, management_url, module_database_url) as system:
        system.modules["embedder"] = "tests.support.fakes.dummy_embedder"
        system.settings |= {"SWEEP_SECONDS": "0.2", "GRACE_SECONDS": "1", "SILENCE_SECONDS": "2"}
        system.settings |= {"SHUTDOWN_SECONDS": "1", "PARSE_TIMEOUT_SECONDS": "6", "UPLOAD_SECONDS": "5"}
        system.start("api", "parser", "embedder")
        yield system


@contextmanager
def without(system: System, name: str) -> Iterator[None]:
    system.kill(name)
    try:
        yield
    finally:
        system.start(name)


def dead_letters(system: System, document_id: str) -> list[Json]:
    items: list[Json] = system.get("/api/v1/dead-letters")["items"]
    return [item for item in items if item["documentId"] == document_id]


def on_channel(system: System, act: Act) -> None:
    async def run() -> None:
        connection = await aio_pika.connect(system.rabbitmq_url)
        async with connection:
            await act(await connection.channel())

    asyncio.run(run())


class Purge:
    """Lose every message of a queue, at least one."""

    def __init__(self, queue: str) -> None:
        self.queue = queue

    async def __call__(self, channel: AbstractChannel) -> None:
        queue = await channel.get_queue(self.queue, ensure=False)
        async with asyncio.timeout(20):
            while not (await queue.purge()).message_count:
                await asyncio.sleep(0.05)


async def die_under_it(rabbitmq_url: str) -> None:
    """Take the next message of a queue and vanish with it, as often as the broker stands it."""
    async with asyncio.timeout(30):
        for _ in range(topology.DELIVERY_LIMIT + 1):
            # Not by ``nack``, which RabbitMQ 4.3 no longer counts.
            async with await aio_pika.connect(rabbitmq_url) as connection:
                queue = await (await connection.channel()).get_queue(PARSE, ensure=False)
                while await queue.get(fail=False) is None:
                    await asyncio.sleep(0.02)


class Put:
    """Publish to a queue with headers and properties as given."""

    def __init__(self, queue: str, body: Json, **properties: object) -> None:
        self.queue, self.body, self.properties = queue, body, properties

    async def __call__(self, channel: AbstractChannel) -> None:
        message = aio_pika.Message(json.dumps(self.body).encode(), **self.properties)  # type: ignore[arg-type]  # the properties are of many types
        await channel.default_exchange.publish(message, self.queue)


class Bury:
    """What a stage does with a command that it gives up."""

    def __init__(self, stage: str, body: Json, headers: dict[str, str]) -> None:
        self.stage, self.body, self.headers = stage, body, headers

    async def __call__(self, channel: AbstractChannel) -> None:
        exchange = await channel.get_exchange(topology.DEAD.name, ensure=False)
        message = aio_pika.Message(json.dumps(self.body).encode(), headers={**self.headers})
        await exchange.publish(message, self.stage)


class Move:
    """What the management UI does: messages as they are, headers and all, to another queue."""

    def __init__(self, source: str, target: str) -> None:
        self.source, self.target = source, target

    async def __call__(self, channel: AbstractChannel) -> None:
        queue = await channel.get_queue(self.source, ensure=False)
        while (message := await queue.get(fail=False)) is not None:
            await channel.default_exchange.publish(_copy(message), self.target)
            await message.ack()


def _copy(message: AbstractIncomingMessage) -> aio_pika.Message:
    return aio_pika.Message(message.body, headers=message.headers, app_id=message.app_id, type=message.type)


@pytest.fixture(scope="module")
def killers(frail: System) -> list[str]:
    """Two documents whose commands met the delivery limit."""
    found = []
    with without(frail, "parser"):
        for name in ("killer.pdf", "moved.pdf"):
            found.append(frail.accept(name, pdf(f"The document {name} kills its worker.")))
            asyncio.run(die_under_it(frail.rabbitmq_url))
        for document_id in found:
            until(lambda document_id=document_id: frail.document(document_id)["status"] == "failed")  # type: ignore[misc]  # mypy infers no lambda with a default
    return found


def test_a_command_that_kills_its_worker_fails_the_document_and_is_listed_until_it_is_redriven(
    frail: System, killers: list[str]
) -> None:
    document_id = killers[0]
    error = frail.document(document_id)["error"]
    assert (error["code"], error["stage"], error["retryable"]) == ("delivery_limit", "parsing", True)
    (letter,) = dead_letters(frail, document_id)
    assert (letter["stage"], letter["reason"]) == ("parse", "delivery_limit")
    assert letter["deaths"] == topology.DELIVERY_LIMIT + 1
    assert [dead_letters(frail, document_id) for _ in range(25)] == [[letter]] * 25  # looking takes nothing
    with frail.client() as client:
        path = f"/api/v1/dead-letters/{letter['deadLetterId']}/redrive"
        assert client.post(path).status_code == 202
        assert client.post(path).status_code == 404
    assert dead_letters(frail, document_id) == []
    until(lambda: frail.document(document_id)["status"] == "embedded")
    assert frail.document(document_id)["attempt"] == 2


def test_a_dead_letter_moved_in_the_management_ui_leaves_the_list_and_is_processed(
    frail: System, killers: list[str]
) -> None:
    document_id = killers[1]
    assert dead_letters(frail, document_id)
    on_channel(frail, Move("stagecast.parse.dead", PARSE))
    assert dead_letters(frail, document_id) == []
    until(lambda: frail.document(document_id)["status"] == "embedded")
    assert frail.document(document_id)["attempt"] == 2


def test_one_dead_letter_is_redriven_and_those_before_it_stay(frail: System) -> None:
    bodies = [{"documentId": f"nobody-{number}", "attempt": 1} for number in range(5)]
    for second, body in enumerate(bodies):
        put = Put(
            "stagecast.embed.dead", body, correlation_id=body["documentId"], timestamp=1_700_000_000 + second
        )
        on_channel(frail, put)
    before = [item for item in frail.get("/api/v1/dead-letters")["items"] if item["stage"] == "embed"]
    assert [item["documentId"] for item in before] == [body["documentId"] for body in bodies]
    with frail.client() as client:
        assert client.post(f"/api/v1/dead-letters/{before[3]['deadLetterId']}/redrive").status_code == 202
    until(lambda: len(dead_letters(frail, "nobody-3")) == 1)  # it makes no sense, and dies again
    after = [
        item["documentId"] for item in frail.get("/api/v1/dead-letters")["items"] if item["stage"] == "embed"
    ]
    assert after == ["nobody-0", "nobody-1", "nobody-2", "nobody-4", "nobody-3"]
    on_channel(frail, Purge("stagecast.embed.dead"))


def test_a_retry_that_comes_late_does_not_begin_a_finished_document_again(frail: System) -> None:
    document_id = frail.accept("late.pdf", pdf("A retry of this waits in a queue."))
    frail.finished(document_id)
    waited = {"x-death": [{"queue": "stagecast.parse.retry.5", "reason": "expired", "count": 1}]}
    body = {"documentId": document_id, "attempt": 1}
    on_channel(frail, Put(PARSE, body, headers=waited, app_id="stagecast.parser"))
    until(lambda: says(frail.log("parser"), "already_done", document_id))
    assert frail.document(document_id)["attempt"] == 1


def says(text: str, *words: str) -> bool:
    """Whether a line of a log has all of these in it."""
    return any(all(word in line for word in words) for line in text.splitlines())


def test_what_a_person_put_in_is_begun_again_also_when_the_first_try_failed(frail: System) -> None:
    document_id = frail.accept("by-hand.pdf", pdf("A person asks for this once more."))
    frail.finished(document_id)
    waited = {"x-stagecast-tries": 1, "x-stagecast-by-hand": True}
    body = {"documentId": document_id, "attempt": 1}
    on_channel(frail, Put(PARSE, body, headers=waited, app_id="stagecast.parser"))
    until(lambda: frail.document(document_id)["attempt"] == 2)
    assert frail.finished(document_id)["status"] == "embedded"


def test_a_batch_of_other_bounds_is_refused_and_harms_no_document(frail: System) -> None:
    document_id = frail.accept(
        "bounds.txt", b"\n\n".join(b"Paragraph %d. " % n + b"Word " * 150 for n in range(30))
    )
    frail.finished(document_id)
    with without(frail, "embedder"), frail.client() as client:
        assert client.post(f"/api/v1/documents/{document_id}/retry").status_code == 202
        until(lambda: frail.document(document_id)["status"] == "parsed")
        wrong = {"documentId": document_id, "attempt": 2, "batch": 1, "batches": 1, "first": 3, "count": 2}
        on_channel(frail, Put("stagecast.embed", wrong))
    assert frail.finished(document_id)["status"] == "embedded"
    document = frail.document(document_id)
    assert document["embeddedCount"] == document["chunkCount"] > 8
    until(lambda: dead_letters(frail, document_id))
    assert dead_letters(frail, document_id)[0]["reason"].startswith("malformed: the attempt has no batch 1")
    on_channel(frail, Purge("stagecast.embed.dead"))


def test_a_buried_bug_fails_its_document_with_the_code_that_it_was_buried_with(frail: System) -> None:
    document_id = frail.accept("bug.pdf", pdf("The parser has a bug that this one meets."))
    frail.finished(document_id)
    with psycopg.connect(frail.database_url) as database:
        database.execute(
            "UPDATE documents SET attempt = 2, outcome = NULL, outcome_published_at = NULL, commanded_at = now(),"
            " attempted_at = now() + interval '1 minute' WHERE document_id = %s",
            [document_id],
        )
    headers = {REASON_HEADER: "gave up after 3 tries: a bug", CODE_HEADER: "embedder_crashed"}
    body = {"documentId": document_id, "attempt": 2, "batch": 1, "batches": 1, "first": 0, "count": 1}
    on_channel(frail, Bury("embed", body, headers))
    until(lambda: frail.document(document_id)["status"] == "failed")
    error = frail.document(document_id)["error"]
    assert (error["code"], error["stage"]) == ("embedder_crashed", "embedding")
    on_channel(frail, Purge("stagecast.embed.dead"))


@pytest.mark.parametrize(
    ("worker", "queue"), [("parser", PARSE), ("embedder", topology.work_queue("embed").name)]
)
def test_a_command_that_is_lost_is_sent_again(frail: System, worker: str, queue: str) -> None:
    with without(frail, worker):
        document_id = frail.accept(f"lost-{worker}.txt", f"The {worker} never hears of this one.".encode())
        on_channel(frail, Purge(queue))
    assert frail.finished(document_id, 30)["status"] == "embedded"


def test_an_outcome_that_nobody_heard_of_is_published(frail: System) -> None:
    with without(frail, "parser"):
        document_id = frail.accept("unheard.txt", b"Somebody decided the end of this and died.")
        outcome = {
            "eventId": f"end-of-{document_id}", "documentId": document_id, "status": "failed", "message": "Dead.",
            "metadata": {"error": "Dead.", "code": "parser_crashed", "stage": "parsing", "retryable": True},
            "timestamp": "2026-11-22T06:00:00.123Z", "ownerId": None, "attempt": 1, "source": "parser",
        }  # fmt: skip
        with psycopg.connect(frail.database_url) as database:
            statement = "UPDATE documents SET outcome = %s WHERE document_id = %s"
            database.execute(statement, [json.dumps(outcome), document_id])
        until(lambda: frail.document(document_id)["status"] == "failed")
    with frail.client() as client:
        assert client.post(f"/api/v1/documents/{document_id}/retry").status_code == 202
    assert frail.finished(document_id)["status"] == "embedded"


def test_what_an_upload_that_was_killed_has_left_is_removed(frail: System) -> None:
    folder = frail.directory / "objects" / "documents"
    (folder / "orphan").write_bytes(b"whole")
    (folder / "half#1").write_bytes(b"half")
    with psycopg.connect(frail.database_url) as database:
        for name in ("orphan", "half"):
            statement = "INSERT INTO upload_reservations VALUES (%s, now() - interval '1 hour')"
            database.execute(statement, [name])
    until(lambda: not list(folder.glob("orphan")) and not list(folder.glob("half*")))


def test_a_worker_told_to_stop_gives_back_what_it_cannot_finish_in_time(frail: System) -> None:
    document_id = frail.accept("deep.html", SLOW_HTML)
    until(lambda: frail.document(document_id)["status"] == "parsing")
    began = time.monotonic()
    frail.kill("parser", signal.SIGTERM)
    assert time.monotonic() - began < 5
    assert frail.document(document_id)["status"] == "parsing"
    frail.start("parser")
    document = frail.finished(document_id, 30)
    assert document["error"]["code"] == "parse_timeout"


def test_a_stopped_database_hangs_no_upload(frail: System) -> None:
    with psycopg.connect(frail.database_url) as database:
        database.execute("LOCK TABLE upload_reservations IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        answer = frail.upload("waits.txt", b"The database does not answer.")
        assert (answer.status_code, int(answer.headers["retry-after"]) > 0) == (503, True)
        assert time.monotonic() - began < 4


def test_a_full_queue_is_answered_quickly_and_nothing_is_left_behind(
    frail: System, management_url: str
) -> None:
    vhost = frail.rabbitmq_url.rsplit("/", 1)[-1]
    policy = f"{management_url}api/policies/{vhost}/small"
    definition = {"pattern": f"^{PARSE}$", "definition": {"max-length": 1}, "apply-to": "queues"}
    with httpx.Client(auth=("guest", "guest")) as client, without(frail, "parser"):
        client.put(policy, json=definition).raise_for_status()
        try:
            refused = _fill(frail)
        finally:
            client.delete(policy).raise_for_status()
    assert refused.headers["retry-after"]
    assert frail.finished(frail.accept("room.txt", b"There is room again."))["status"] == "embedded"


def _fill(system: System) -> httpx.Response:
    for number in range(20):
        began = time.monotonic()
        answer = system.upload(f"fill-{number}.txt", f"Number {number} that fills the queue.".encode())
        took = time.monotonic() - began
        if answer.status_code == 503:
            assert took < 2
            return answer
    raise AssertionError("the queue never filled")


def audited(system: System) -> tuple[int, Json]:
    environment = command_environment(
        DATABASE_URL=system.database_url,
        RABBITMQ_URL=system.rabbitmq_url,
        STORAGE_URL=(system.directory / "objects").as_uri(),
    )
    done = subprocess.run([*STAGECAST, "audit"], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    found: Json = json.loads(done.stdout)
    return done.returncode, found


def test_the_audit_finds_nothing_on_a_system_that_is_whole_and_whatever_is_missing_on_one_that_is_not(
    frail: System,
) -> None:
    document_id = frail.accept("audited.txt", b"Somebody counts this one.")
    frail.finished(document_id)
    assert audited(frail) == (0, {**audited(frail)[1], "findings": [], "summary": "nothing is missing"})
    other = frail.accept("bytes.txt", b"The bytes of this one will vanish.")
    frail.finished(other)
    with psycopg.connect(frail.database_url) as database:
        database.execute("DELETE FROM embeddings WHERE document_id = %s", [document_id])
        database.execute("DELETE FROM passages WHERE document_id = %s", [other])
        database.execute("UPDATE documents SET message = 'forged' WHERE document_id = %s", [other])
        database.execute(
            "INSERT INTO vectors (vector_id, model, text_hash, embedding) OVERRIDING SYSTEM VALUE"
            " VALUES (1000000, 'lost', '', '[1]')"
        )
    folder = frail.directory / "objects" / "documents"
    (folder / other).rename(folder / "stray")
    status, found = audited(frail)
    assert status == 1
    assert {(what, subject) for what, subject, _ in found["findings"]} == {
        ("chunks incomplete", document_id),
        ("words incomplete", other),
        ("projection differs", other),
        ("document without its object", other),
        ("object without a document", "stray"),
        ("vector left behind", "vector 1000000"),
    }
