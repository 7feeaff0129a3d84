"""What the last release has left in the database is taken over, and its processes may still run beside ours."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.commands import QueryEmbedding, StageCommand
from contracts.events import LogEvent, StatusEvent
from contracts.lanes import Lane
from contracts.statuses import Status
from services.api.access.caller import Caller
from services.api.api_settings import ApiSettings
from services.api.documents.catalog import read_document
from services.api.documents.deletion import Deletion
from services.api.log.event_log import EventLog
from services.api.recovery import outdated_terms
from services.api.recovery.lost_log import LostLog
from services.api.recovery.stalled import MAX_RESENDS, resend_stalled
from services.api.recovery.sweeper import Sweeper
from services.api.recovery.turns import Turns
from services.api.search import scope
from services.api.search.search import Hit, SearchRequest, search
from services.lifecycle.attempts import open_next_attempt
from services.lifecycle.document_attempt import DocumentAttempt, Lock, locked_attempt
from services.lifecycle.document_statements import record_outcome
from services.lifecycle.outcome import publish_outcome
from services.lifecycle.status_reporter import StatusReporter
from services.runtime.database.engine import create_engine
from services.runtime.database.migrate import migrate
from services.runtime.database.tables import documents
from services.runtime.database.vector_index import ensure_vector_index
from services.runtime.database.vector_tables import vectors
from services.runtime.messaging.publisher import Publisher
from services.runtime.object_store import ObjectStore
from services.search_terms.indexed_document import IndexedDocument
from services.search_terms.terms import VERSION

pytestmark = pytest.mark.anyio

LAST_RELEASE = "0006"


class Recorder(Publisher):
    """A publisher that keeps what it is given."""

    def __init__(self) -> None:
        self.published: list[object] = []

    async def event(self, event: LogEvent) -> None:
        self.published.append(event)

    async def command(self, command: StageCommand, lane: Lane = Lane.FIRST) -> None:
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


BEFORE_VECTORS = "0009"
MODEL, QUERY = "made-up", QueryEmbedding(model="made-up", vector=[1.0, 0.0])

OLD_DOCUMENT = (
    (
        "INSERT INTO documents (document_id, owner_id, filename, file_type, sha256, created_at, attempted_at,"
        " updated_at, status, status_attempt, visible_attempt, chunk_count)"
        " VALUES ('old', 'alice', 'a.txt', 'text/plain', 'old', now(), now(), now(), 'embedded', 1, 1, 30)"
    ),
    (
        "INSERT INTO attempts (document_id, attempt, chunk_count, token_count, batch_chunks, batches, started_at)"
        " VALUES ('old', 1, 30, 1, 1, 1, now())"
    ),
    (
        "INSERT INTO chunks (document_id, attempt, index, text, token_count)"
        " SELECT 'old', 1, n, 'text ' || n % 10, 2 FROM generate_series(0, 29) n"
    ),
)
OLD_EMBEDDINGS = (
    "INSERT INTO embeddings (document_id, attempt, index, model, embedding)"
    " SELECT document_id, attempt, index, 'made-up', '[1,0]' FROM chunks WHERE index >= 0"
)
OLD_INDEX = (
    "CREATE INDEX embeddings_hnsw_0123456789abcdef ON embeddings"
    " USING hnsw ((embedding::vector(2)) vector_cosine_ops) WHERE model = 'made-up'"
)


OLD_SEARCH = (
    "SELECT document_id, index, 1 - (embedding::vector(2) <=> '[1,0]') FROM embeddings"
    " JOIN documents USING (document_id) WHERE visible_attempt = embeddings.attempt AND model = 'made-up'"
)
OUR_EMBEDDING = (
    (
        "WITH other AS (INSERT INTO documents (document_id, owner_id, filename, file_type, sha256, created_at,"
        " attempted_at, updated_at, status, status_attempt, visible_attempt, chunk_count)"
        " SELECT 'new', owner_id, filename, file_type, 'new', now(), now(), now(), status, 1, 1, 1 FROM documents)"
        " INSERT INTO attempts (document_id, attempt, chunk_count, token_count, batch_chunks, batches, started_at)"
        " VALUES ('new', 1, 1, 1, 1, 1, now())"
    ),
    "INSERT INTO chunks (document_id, attempt, index, text, token_count) VALUES ('new', 1, 100, 'text 100', 2)",
    (
        "WITH made AS (INSERT INTO vectors (model, text_hash, embedding)"
        " VALUES ('made-up', sha256('text 100'), '[1,0]') RETURNING vector_id)"
        " INSERT INTO embeddings (document_id, attempt, index, model, owner_id, vector_id)"
        " SELECT 'new', 1, 100, 'made-up', 'alice', vector_id FROM made"
    ),
)


class Installed:
    """A system of the last release that was upgraded, and of which a process still runs."""

    def __init__(self, database_url: str, engine: AsyncEngine) -> None:
        self.database_url = database_url
        self.engine = engine

    def write(self, *statements: str) -> None:
        with psycopg.connect(self.database_url) as connection:
            for statement in statements:
                connection.execute(statement)

    def found_by_the_last_release(self) -> list[int]:
        with psycopg.connect(self.database_url) as connection:
            rows = connection.execute(OLD_SEARCH).fetchall()
        assert all(cosine is not None for _, _, cosine in rows)
        return sorted(index for _, index, _ in rows)

    async def found(self) -> list[int]:
        request = SearchRequest(query="anything", limit=100)
        result = await search(self.engine, Caller("alice", sees_all=False), request, QUERY)
        return sorted(hit.chunk_index for hit in result.items)


@pytest.fixture(params=[0, 10_000], ids=["by the index", "exactly"])
async def installed(
    request: pytest.FixtureRequest, fresh_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Installed]:
    monkeypatch.setattr(scope, "FEW_CHUNKS", request.param)
    engine = create_engine(fresh_database_url)
    installed = Installed(fresh_database_url, engine)
    await asyncio.to_thread(migrate, fresh_database_url, BEFORE_VECTORS)
    installed.write(*OLD_DOCUMENT, OLD_EMBEDDINGS, OLD_INDEX)
    await asyncio.to_thread(migrate, fresh_database_url)
    await ensure_vector_index(engine, MODEL, 2)
    yield installed
    await engine.dispose()


async def test_while_processes_of_the_last_release_may_run_they_and_ours_find_what_both_have_embedded(
    installed: Installed, tmp_path: Path
) -> None:
    installed.write(*OUR_EMBEDDING)
    assert await sweeper(installed.engine, tmp_path, overlap_seconds=3600).take_over_embeddings() == 0
    everything = [*range(30), 100]
    assert await installed.found() == installed.found_by_the_last_release() == everything
    sweep = sweeper(installed.engine, tmp_path, overlap_seconds=0)
    assert await sweep.take_over_embeddings() == 30
    assert await sweep.take_over_embeddings() == 1  # of ours, which had one for the others' sake
    assert await installed.found() == everything
    assert await sweep.take_over_embeddings() == 0


async def test_vectors_of_the_last_release_are_found_and_taken_over_and_those_that_it_writes_later_too(
    installed: Installed, tmp_path: Path
) -> None:
    assert await installed.found() == list(range(30))
    sweep = sweeper(installed.engine, tmp_path, overlap_seconds=0)
    assert await sweep.take_over_embeddings() == 30
    assert await installed.found() == list(range(30))
    installed.write("DELETE FROM embeddings WHERE index < 5", f"{OLD_EMBEDDINGS} AND index < 5")
    assert await installed.found() == list(range(30))
    assert await sweep.take_over_embeddings() == 5
    assert await sweep.take_over_embeddings() == 0
    assert await installed.found() == list(range(30))
    async with installed.engine.connect() as connection:
        assert await connection.scalar(select(func.count()).select_from(vectors)) == 10
        assert await connection.scalar(text("SELECT to_regclass('embeddings_hnsw_0123456789abcdef')")) is None


BEFORE_WORDS = "0010"


async def test_documents_of_the_last_release_are_found_by_words_once_the_sweeper_has_read_them(
    fresh_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.to_thread(migrate, fresh_database_url, BEFORE_WORDS)
    said = "UPDATE chunks SET text = 'Keepers calm their bees, and smoke number ' || index || ' is cool.'"
    with psycopg.connect(fresh_database_url) as last_release:
        for statement in (*OLD_DOCUMENT, said, OLD_EMBEDDINGS):
            last_release.execute(statement)
    await asyncio.to_thread(migrate, fresh_database_url)
    engine = create_engine(fresh_database_url)
    alice = Caller("alice", sees_all=False)

    async def hits(**wishes: object) -> list[Hit]:
        request = SearchRequest.model_validate({"query": "calms a bee", "limit": 100, **wishes})
        return (await search(engine, alice, request, QUERY if request.needs_vector else None)).items

    assert len(await hits()) == 30
    assert await hits(mode="words") == []
    sweeps = [sweeper(engine, tmp_path).update_terms() for _ in range(3)]
    assert sum(await asyncio.gather(*sweeps)) >= 1
    assert {hit.chunk_index for hit in await hits(mode="words")} == set(range(30))
    assert len(await hits()) == 30
    assert (await read_document(engine, alice, "old")).language == "en"
    assert await sweeper(engine, tmp_path).update_terms() == 0
    # What counts as a word has changed since: all is read again, and only once.
    monkeypatch.setattr(outdated_terms, "VERSION", VERSION + 1)
    monkeypatch.setattr(outdated_terms, "indexed", lambda *_: IndexedDocument("de", (), VERSION + 1))
    assert await sweeper(engine, tmp_path).update_terms() == 1
    assert await hits(mode="words") == []
    assert await sweeper(engine, tmp_path).update_terms() == 0
    await engine.dispose()


def sweeper(engine: AsyncEngine, directory: Path, *, overlap_seconds: float = 0) -> Sweeper:
    reporter = StatusReporter(Recorder(), "api")
    deletion = Deletion(engine, ObjectStore(directory.as_uri()), reporter.publisher)
    settings = ApiSettings(upgrade_overlap_seconds=overlap_seconds)
    turns = Turns(engine, reporter, settings.shares, EventLog(settings.rabbitmq_url))
    return Sweeper(engine, reporter, deletion, settings, LostLog(engine, reporter), turns, asyncio.Event())
