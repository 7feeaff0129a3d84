"""A vector belongs to a text: embedded once for each owner, stored once for all, and gone with its last chunk."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import psycopg
import pytest
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.commands import Batching, EmbedChunks
from services.lifecycle.attempt_statements import remove_attempt, store_parsed
from services.lifecycle.batch_statements import (
    MANY_CONTEXTS,
    VectorGone,
    begin_batch,
    store_batch,
)
from services.lifecycle.chunk import BatchChunk, Chunk
from services.lifecycle.document_attempt import DocumentAttempt
from services.lifecycle.document_statements import remove_document
from services.lifecycle.vector_statements import remove_unused_vectors, take_over_embeddings
from services.runtime.database.tables import documents
from services.search_terms.indexed_document import IndexedDocument
from services.search_terms.terms import VERSION

pytestmark = pytest.mark.anyio

MODEL = "made-up"
SHARED = BatchChunk("", "shared", has_vector=True)
VECTOR = np.array([1.0, 0.0], dtype=np.float32)


async def parsed(
    engine: AsyncEngine, name: str, owner_id: str | None, texts: Sequence[str], context: str = ""
) -> DocumentAttempt:
    """A document of one batch that waits to be embedded; ``#`` in the context is the chunk's number."""
    attempt = DocumentAttempt(name, 1, owner_id, f"{name}.txt", "text/plain", 1)
    now = datetime.now(UTC)
    times = dict.fromkeys(("created_at", "attempted_at", "updated_at"), now)
    row = {"document_id": name, "owner_id": owner_id, "sha256": name, "status": "parsed", "status_attempt": 1}
    chunks = [
        Chunk(index, said, 3, None, None, (), context.replace("#", str(index)))
        for index, said in enumerate(texts)
    ]
    async with engine.begin() as connection:
        await connection.execute(insert(documents).values({**row, **times}))
        batching = Batching(len(chunks), len(chunks))
        assert await store_parsed(
            connection,
            attempt,
            chunks,
            IndexedDocument(None, (), VERSION),
            page_count=None,
            batching=batching,
            details={},
            started_at=now,
        )
    return attempt


def command(attempt: DocumentAttempt, count: int) -> EmbedChunks:
    return EmbedChunks(document_id=attempt.document_id, attempt=1, batch=1, batches=1, first=0, count=count)


async def begun(engine: AsyncEngine, attempt: DocumentAttempt, count: int) -> list[BatchChunk]:
    async with engine.begin() as connection:
        row = await begin_batch(connection, attempt, command(attempt, count), MODEL)
    assert row is not None
    return list(map(BatchChunk, row.contexts, row.texts, row.has_vector))


def missing(batch: Sequence[BatchChunk]) -> list[str]:
    """The texts that go to the model."""
    return [chunk.embedded_text for chunk in batch if not chunk.has_vector]


async def store(
    engine: AsyncEngine, attempt: DocumentAttempt, batch: Sequence[BatchChunk], texts: Sequence[str]
) -> None:
    async with engine.begin() as connection:
        vectors = dict.fromkeys(texts, VECTOR)
        stored = await store_batch(connection, attempt, command(attempt, len(batch)), MODEL, batch, vectors)
        assert stored is not None
        assert stored.embedded_count == len(batch)


async def embed(engine: AsyncEngine, attempt: DocumentAttempt, count: int) -> list[str]:
    """Embed a document as the embedder does; the texts that went to the model."""
    batch = await begun(engine, attempt, count)
    await store(engine, attempt, batch, missing(batch))
    return missing(batch)


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
    assert await embed(engine, one, 3) == ["a letterhead", "first", "a letterhead"]
    two = await parsed(engine, "two", "alice", ["a letterhead", "second"])
    assert await embed(engine, two, 2) == ["second"]
    three = await parsed(engine, "three", "bob", ["a letterhead"])
    assert await embed(engine, three, 1) == ["a letterhead"]
    four = await parsed(engine, "four", None, ["a letterhead"])
    assert await embed(engine, four, 1) == ["a letterhead"]
    assert await counted(engine, "vectors") == 3
    assert await counted(engine, "embeddings") == 7


async def test_a_chunk_is_embedded_with_its_context_and_kept_without(engine: AsyncEngine) -> None:
    attempt = await parsed(engine, "one", None, ["Said here."], "A title\nA heading")
    assert missing(await begun(engine, attempt, 1)) == ["A title\nA heading\n\nSaid here."]
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT text FROM chunks")) == "Said here."


async def test_a_text_that_an_owner_has_behind_many_titles_is_embedded_by_itself_and_no_more(
    engine: AsyncEngine,
) -> None:
    said = []
    for number in range(MANY_CONTEXTS + 3):
        attempt = await parsed(engine, f"letter-{number}", "alice", ["Our address."], f"Letter {number}")
        said += await embed(engine, attempt, 1)
    assert said == [*(f"Letter {number}\n\nOur address." for number in range(MANY_CONTEXTS)), "Our address."]
    known = await parsed(engine, "again", "alice", ["Our address."], "Letter 3")
    assert [chunk.context for chunk in await begun(engine, known, 1)] == ["Letter 3"]
    assert await embed(engine, known, 1) == []
    bobs = await parsed(engine, "bobs", "bob", ["Our address."], "Bob's")
    assert await embed(engine, bobs, 1) == ["Bob's\n\nOur address."]


async def test_a_text_that_stands_under_many_headings_of_one_document_is_embedded_by_itself_too(
    engine: AsyncEngine,
) -> None:
    attempt = await parsed(engine, "forms", "alice", ["Our address."] * (MANY_CONTEXTS + 3), "Form #")
    said = await begun(engine, attempt, MANY_CONTEXTS + 3)
    assert [chunk.context for chunk in said].count("") == 3


async def test_nothing_is_left_of_a_text_when_the_last_chunk_that_says_it_is_gone(
    engine: AsyncEngine,
) -> None:
    one = await parsed(engine, "one", "alice", ["shared", "own"])
    await embed(engine, one, 2)
    two = await parsed(engine, "two", "bob", ["shared"])
    await embed(engine, two, 1)
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
    await embed(engine, one, 1)
    two = await parsed(engine, "two", "alice", ["shared"])
    async with engine.begin() as connection:
        await remove_document(connection, "one")
    async with engine.begin() as connection:
        await store_batch(connection, two, command(two, 1), MODEL, [SHARED], {})
        await sweep(engine)
    assert await counted(engine, "vectors") == await counted(engine, "unused_vectors") == 1
    await sweep(engine)
    assert await counted(engine, "vectors") == 1
    assert await counted(engine, "unused_vectors") == 0


async def test_a_batch_whose_vector_was_removed_meanwhile_is_embedded_again(engine: AsyncEngine) -> None:
    one = await parsed(engine, "one", "alice", ["shared"])
    await embed(engine, one, 1)
    two = await parsed(engine, "two", "alice", ["shared"])
    batch = await begun(engine, two, 1)
    assert missing(batch) == []
    async with engine.begin() as connection:
        await remove_document(connection, "one")
    await sweep(engine)
    with pytest.raises(VectorGone):
        await store(engine, two, batch, [])
    assert await embed(engine, two, 1) == ["shared"]


async def test_a_batch_whose_vector_is_removed_while_it_is_stored_has_one_of_its_own(
    engine: AsyncEngine,
) -> None:
    one = await parsed(engine, "one", "alice", ["shared"])
    await embed(engine, one, 1)
    two = await parsed(engine, "two", "bob", ["shared"])
    batch = await begun(engine, two, 1)
    async with engine.begin() as connection:
        await remove_document(connection, "one")
    async with engine.begin() as sweeping:
        await remove_unused_vectors(sweeping, seconds=0, count=100)
        waiting = asyncio.create_task(store(engine, two, batch, missing(batch)))
        await asyncio.wait([waiting], timeout=0.2)
        assert not waiting.done()
    await waiting
    assert await counted(engine, "vectors") == await counted(engine, "embeddings") == 1


async def test_two_batches_that_say_the_same_at_the_same_time_share_the_vector_of_the_first(
    engine: AsyncEngine,
) -> None:
    texts = [f"text {number}" for number in range(20)]
    attempts = [await parsed(engine, name, name, texts) for name in ("alice", "bob")]
    batch = [BatchChunk("", said, has_vector=False) for said in texts]
    async with engine.begin() as first:
        vectors = dict.fromkeys(texts, VECTOR)
        await store_batch(first, attempts[0], command(attempts[0], 20), MODEL, batch, vectors)
        waiting = asyncio.create_task(store(engine, attempts[1], batch, texts[::-1]))
        await asyncio.wait([waiting], timeout=0.2)
        assert not waiting.done()
    await waiting
    assert await counted(engine, "vectors") == 20
    assert await counted(engine, "embeddings") == 40


async def test_embeddings_of_the_last_release_are_taken_over_by_several_replicas(
    engine: AsyncEngine, migrated_database_url: str
) -> None:
    texts = [f"text {number % 7}" for number in range(20)]
    attempt = await parsed(engine, "old", "alice", texts)
    with psycopg.connect(migrated_database_url) as last_release:
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
    assert await embed(engine, again, 7) == []
    async with engine.begin() as connection:
        await remove_attempt(connection, attempt)
        await remove_document(connection, "again")
    await sweep(engine)
    assert await counted(engine, "vectors") == 0
