"""A vector belongs to a text: embedded once for each owner, stored once for all, and gone with its last chunk."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

import numpy as np
import psycopg
import pytest
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.commands import Batching, EmbedChunks
from services.lifecycle.attempt_statements import (
    VectorGone,
    begin_batch,
    remove_attempt,
    store_batch,
    store_parsed,
)
from services.lifecycle.chunk import Chunk
from services.lifecycle.document_attempt import DocumentAttempt
from services.lifecycle.document_statements import remove_document
from services.lifecycle.vector_statements import remove_unused_vectors, take_over_embeddings
from services.runtime.database.engine import create_engine
from services.runtime.database.migrate import migrate
from services.runtime.database.tables import documents

pytestmark = pytest.mark.anyio

MODEL = "made-up"
VECTOR = np.array([1.0, 0.0], dtype=np.float32)


@pytest.fixture
async def engine(fresh_database_url: str) -> AsyncIterator[AsyncEngine]:
    await asyncio.to_thread(migrate, fresh_database_url)
    engine = create_engine(fresh_database_url)
    yield engine
    await engine.dispose()


async def parsed(
    engine: AsyncEngine, name: str, owner_id: str | None, texts: Sequence[str], context: str = ""
) -> DocumentAttempt:
    """A document of one batch that waits to be embedded."""
    attempt = DocumentAttempt(name, 1, owner_id, f"{name}.txt", "text/plain", 1)
    now = datetime.now(UTC)
    times = dict.fromkeys(("created_at", "attempted_at", "updated_at"), now)
    row = {"document_id": name, "owner_id": owner_id, "sha256": name, "status": "parsed", "status_attempt": 1}
    chunks = [Chunk(index, said, 3, None, None, (), context) for index, said in enumerate(texts)]
    async with engine.begin() as connection:
        await connection.execute(insert(documents).values({**row, **times}))
        batching = Batching(len(chunks), len(chunks))
        assert await store_parsed(
            connection, attempt, chunks, page_count=None, batching=batching, details={}, started_at=now
        )
    return attempt


def command(attempt: DocumentAttempt, count: int) -> EmbedChunks:
    return EmbedChunks(document_id=attempt.document_id, attempt=1, batch=1, batches=1, first=0, count=count)


async def missing(engine: AsyncEngine, attempt: DocumentAttempt, count: int) -> list[str]:
    """The texts that go to the model."""
    async with engine.begin() as connection:
        begun = await begin_batch(connection, attempt, command(attempt, count), MODEL)
    assert begun is not None
    return [said for said, has_vector in zip(begun.texts, begun.has_vector, strict=True) if not has_vector]


async def embed(engine: AsyncEngine, attempt: DocumentAttempt, texts: Sequence[str]) -> list[str]:
    """Embed a document as the embedder does; the texts that went to the model."""
    wanted = await missing(engine, attempt, len(texts))
    async with engine.begin() as connection:
        vectors = dict.fromkeys(wanted, VECTOR)
        stored = await store_batch(connection, attempt, command(attempt, len(texts)), MODEL, texts, vectors)
        assert stored is not None
        assert stored.embedded_count == len(texts)
    return wanted


async def counted(engine: AsyncEngine, table: str) -> int:
    async with engine.connect() as connection:
        return int(await connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0)  # noqa: S608 - ours


async def sweep(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await remove_unused_vectors(connection, seconds=0, count=100)


async def test_what_an_owner_has_had_embedded_is_not_embedded_again_and_of_others_it_is_but_stored_once(
    engine: AsyncEngine,
) -> None:
    texts = ["a letterhead", "first", "a letterhead"]
    one = await parsed(engine, "one", "alice", texts)
    assert await embed(engine, one, texts) == ["a letterhead", "first", "a letterhead"]
    two = await parsed(engine, "two", "alice", ["a letterhead", "second"])
    assert await embed(engine, two, ["a letterhead", "second"]) == ["second"]
    three = await parsed(engine, "three", "bob", ["a letterhead"])
    assert await embed(engine, three, ["a letterhead"]) == ["a letterhead"]
    four = await parsed(engine, "four", None, ["a letterhead"])
    assert await embed(engine, four, ["a letterhead"]) == ["a letterhead"]
    assert await counted(engine, "vectors") == 3
    assert await counted(engine, "embeddings") == 7


async def test_a_chunk_is_embedded_with_its_context_and_kept_without(engine: AsyncEngine) -> None:
    attempt = await parsed(engine, "one", None, ["Said here."], "A title\nA heading")
    assert await missing(engine, attempt, 1) == ["A title\nA heading\n\nSaid here."]
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT text FROM chunks")) == "Said here."


async def test_nothing_is_left_of_a_text_when_the_last_chunk_that_says_it_is_gone(
    engine: AsyncEngine,
) -> None:
    one = await parsed(engine, "one", "alice", ["shared", "own"])
    await embed(engine, one, ["shared", "own"])
    two = await parsed(engine, "two", "bob", ["shared"])
    await embed(engine, two, ["shared"])
    async with engine.begin() as connection:
        await remove_document(connection, "one")
    await sweep(engine)
    assert await counted(engine, "vectors") == 1
    async with engine.begin() as connection:
        await remove_attempt(connection, two)
    await sweep(engine)
    assert await counted(engine, "vectors") == await counted(engine, "unused_vectors") == 0


async def test_a_vector_that_is_about_to_be_pointed_to_is_not_removed_and_is_looked_at_again(
    engine: AsyncEngine,
) -> None:
    one = await parsed(engine, "one", "alice", ["shared"])
    await embed(engine, one, ["shared"])
    two = await parsed(engine, "two", "alice", ["shared"])
    async with engine.begin() as connection:
        await remove_document(connection, "one")
    async with engine.begin() as connection:
        await store_batch(connection, two, command(two, 1), MODEL, ["shared"], {})
        await sweep(engine)
    assert await counted(engine, "vectors") == await counted(engine, "unused_vectors") == 1
    await sweep(engine)
    assert await counted(engine, "vectors") == 1
    assert await counted(engine, "unused_vectors") == 0


async def test_a_batch_whose_vector_was_removed_meanwhile_is_embedded_again(engine: AsyncEngine) -> None:
    one = await parsed(engine, "one", "alice", ["shared"])
    await embed(engine, one, ["shared"])
    two = await parsed(engine, "two", "alice", ["shared"])
    assert await missing(engine, two, 1) == []
    async with engine.begin() as connection:
        await remove_document(connection, "one")
    await sweep(engine)
    with pytest.raises(VectorGone):
        async with engine.begin() as connection:
            await store_batch(connection, two, command(two, 1), MODEL, ["shared"], {})
    assert await embed(engine, two, ["shared"]) == ["shared"]


async def test_two_batches_that_say_the_same_at_the_same_time_share_the_vector_of_the_first(
    engine: AsyncEngine,
) -> None:
    texts = [f"text {number}" for number in range(20)]
    attempts = [await parsed(engine, name, name, texts) for name in ("alice", "bob")]
    vectors = dict.fromkeys(texts, VECTOR)
    backwards = dict.fromkeys(reversed(texts), VECTOR)
    async with engine.begin() as first:
        await store_batch(first, attempts[0], command(attempts[0], 20), MODEL, texts, vectors)

        async def store_second() -> None:
            async with engine.begin() as second:
                await store_batch(second, attempts[1], command(attempts[1], 20), MODEL, texts, backwards)

        waiting = asyncio.create_task(store_second())
        await asyncio.wait([waiting], timeout=0.2)
        assert not waiting.done()
    await waiting
    assert await counted(engine, "vectors") == 20
    assert await counted(engine, "embeddings") == 40


async def test_embeddings_of_the_last_release_are_taken_over_by_several_replicas(
    engine: AsyncEngine, fresh_database_url: str
) -> None:
    texts = [f"text {number % 7}" for number in range(20)]
    attempt = await parsed(engine, "old", "alice", texts)
    with psycopg.connect(fresh_database_url) as last_release:
        for index in range(20):
            last_release.execute(
                "INSERT INTO embeddings (document_id, attempt, index, model, embedding)"
                " VALUES ('old', 1, %s, %s, '[1,0]')",
                [index, MODEL],
            )

    async def take_over() -> int:
        total = 0
        while True:
            async with engine.begin() as connection:
                count = await take_over_embeddings(connection, count=3)
            if not count:
                return total
            total += count

    assert sum(await asyncio.gather(*(take_over() for _ in range(3)))) >= 20
    assert await counted(engine, "embeddings WHERE vector_id IS NULL OR embedding IS NOT NULL") == 0
    assert await counted(engine, "vectors") == 7
    assert await take_over() == 0
    again = await parsed(engine, "again", "alice", texts[:7])
    assert await embed(engine, again, texts[:7]) == []
    async with engine.begin() as connection:
        await remove_attempt(connection, attempt)
        await remove_document(connection, "again")
    await sweep(engine)
    assert await counted(engine, "vectors") == 0
