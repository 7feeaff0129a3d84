"""Search by words finds what there is: compared with BM25 over everything that the caller may see."""

import asyncio
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import psycopg
import pytest
from sqlalchemy import insert, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.commands import Batching, EmbedChunks, QueryEmbedding
from services.api.access.caller import LOCAL_USER, Caller
from services.api.documents.file_types import has_file_type
from services.api.search import candidates, matching, scope, term_counting, term_views
from services.api.search.search import Hit, SearchRequest, search
from services.lifecycle.attempt_statements import store_parsed
from services.lifecycle.batch_statements import store_batch
from services.lifecycle.chunk import BatchChunk, Chunk
from services.lifecycle.document_attempt import DocumentAttempt
from services.lifecycle.document_statements import remove_document
from services.runtime.database.tables import documents
from services.runtime.database.vector_index import ensure_vector_index
from services.search_terms import indexing
from services.search_terms.bm25 import K1, USUAL_LENGTH, B

pytestmark = pytest.mark.anyio

MODEL, DIMENSIONS = "made-up", 8
ALICE, BOB = Caller("alice", sees_all=False), Caller("bob", sees_all=False)
WORDS = ["bee", "wasp", "hive", "smoke", "honey", "garden", "river", "stone", "lamp", "barn", "oak", "moss"]
"""Each its own stem."""


@dataclass(frozen=True)
class Stored:
    """A document of chunks that are two to a passage, and a vector for each."""

    name: str
    owner_id: str | None
    texts: Sequence[str]
    file_type: str = "text/plain"
    is_shown: bool = True
    vectors: Sequence[Sequence[float]] = ()

    @property
    def passages(self) -> list[tuple[int, list[str]]]:
        """The index of each one's first chunk, and its words: those of its chunks and the document's name."""
        return [
            (first, [*" ".join(self.texts[first : first + 2]).split(), self.name])
            for first in range(0, len(self.texts), 2)
        ]


@pytest.fixture
async def english(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> AsyncEngine:
    """A database of texts that are all taken for English; so few words are often taken for something else."""
    monkeypatch.setattr(indexing, "language_of", lambda _: "en")
    await ensure_vector_index(engine, MODEL, DIMENSIONS)
    return engine


async def store(engine: AsyncEngine, one: Stored) -> None:
    attempt = DocumentAttempt(one.name, 1, one.owner_id, f"{one.name}.x", one.file_type, 1)
    now = datetime.now(UTC)
    chunks = [Chunk(index, said, 128, None, None, ()) for index, said in enumerate(one.texts)]
    count = len(chunks)
    row: dict[str, object] = {
        "document_id": one.name,
        "owner_id": one.owner_id,
        "filename": attempt.filename,
        "sha256": one.name,
    }
    row |= {"file_type": one.file_type, "status": "embedded", "status_attempt": 1, "chunk_count": count}
    row |= dict.fromkeys(("created_at", "attempted_at", "updated_at"), now)
    async with engine.begin() as connection:
        await connection.execute(insert(documents).values(row))
        terms = indexing.indexed(chunks, [one.name], one.owner_id)
        batching = Batching(count, count)
        assert await store_parsed(
            connection, attempt, chunks, terms, page_count=None, batching=batching, details={}, started_at=now
        )
        command = EmbedChunks(document_id=one.name, attempt=1, batch=1, batches=1, first=0, count=count)
        vectors = one.vectors or [[1.0] + [0.0] * (DIMENSIONS - 1)] * count
        # Each text with its place before it, so that each has its own vector.
        batch = [BatchChunk(f"{one.name} {n}", said, has_vector=False) for n, said in enumerate(one.texts)]
        made = {
            chunk.embedded_text: np.array(vector, np.float32)
            for chunk, vector in zip(batch, vectors, strict=True)
        }
        await store_batch(connection, attempt, command, MODEL, batch, made)
        if one.is_shown:
            this = documents.c.document_id == one.name
            await connection.execute(update(documents).where(this).values(visible_attempt=1))


async def found(
    engine: AsyncEngine, caller: Caller, query: str, vector: Sequence[float] | None = None, **wishes: object
) -> list[Hit]:
    request = SearchRequest.model_validate({"query": query, "mode": "words", **wishes})
    embedding = None if vector is None else QueryEmbedding(model=MODEL, vector=list(vector))
    result = await search(engine, caller, request, embedding)
    assert (result.mode, result.model) == (request.mode, embedding and MODEL)
    assert [hit.score for hit in result.items] == sorted((hit.score for hit in result.items), reverse=True)
    assert all(0 <= hit.score <= 1 for hit in result.items)
    assert len({(hit.document_id, hit.chunk_index) for hit in result.items}) == len(result.items)
    return result.items


Key = tuple[str, int]


def weight(count: int, damping: float) -> float:
    return count * (K1 + 1) / (count + damping)


def bm25(stored: Sequence[Stored], caller: Caller, query: str) -> dict[Key, float]:
    """What looking at everything that the caller may see gives: each chunk's share of its passage's BM25."""
    seen = [(one, *passage) for one in stored if caller.may_see(one.owner_id) for passage in one.passages]
    having = {word: sum(word in words for _, _, words in seen) for word in query.split()}
    idf = {word: math.log(1 + (len(seen) - n + 0.5) / (n + 0.5)) for word, n in having.items()}
    scores: dict[Key, float] = {}
    for one, first, words in seen:
        damping = K1 * (1 - B + B * len(words) / USUAL_LENGTH)
        score = sum(idf[word] * weight(words.count(word), damping) for word in query.split())
        said = [text.split() for text in one.texts[first : first + 2]]
        own = [sum(idf[word] * weight(words.count(word), K1) for word in query.split()) for words in said]
        for index, part in enumerate(own, start=first):
            scores[one.name, index] = score * part / max(own) if part else 0.0
    return scores


def made_up(dice: random.Random, count: int) -> list[Stored]:
    common, rare = WORDS[:8], WORDS[8:]
    return [
        Stored(
            f"doc{chr(97 + number // 26)}{chr(97 + number % 26)}x",
            dice.choice((None, "alice", "alice", "bob")),
            [
                " ".join(
                    [*dice.choices(common, k=dice.randint(1, 12)), *dice.choices(rare, k=dice.randint(0, 1))]
                )
                for _ in range(dice.choice((1, 2, 5)))
            ],
            dice.choice(("application/pdf", "text/plain", "text/html")),
            dice.random() < 0.9,
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("few_chunks", [0, 10_000])
async def test_words_find_what_looking_at_everything_finds(
    english: AsyncEngine, monkeypatch: pytest.MonkeyPatch, few_chunks: int
) -> None:
    monkeypatch.setattr(scope, "FEW_CHUNKS", few_chunks)  # by the index, and by the documents
    dice = random.Random(3)  # noqa: S311 - the same each time
    stored = made_up(dice, 60)
    for one in stored:
        await store(english, one)
    for _ in range(40):
        caller = dice.choice((ALICE, BOB, LOCAL_USER))
        types = dice.choice((None, None, ["text/*"], ["application/pdf", "text/html"]))
        names = dice.choice((None, None, [dice.choice(stored).name for _ in range(9)]))
        query, limit = " ".join(dice.sample(WORDS, dice.randint(1, 4))), dice.choice((1, 10, 100))
        # That few are read of what has words makes a search quicker, and it finds as many all the same.
        reads_all = dice.random() < 0.6
        monkeypatch.setattr(matching, "MOST_READ", 10_000 if reads_all else 2)
        hits = await found(english, caller, query, limit=limit, fileType=types, documentIds=names)
        expected = {
            (one.name, index): words
            for (name, index), words in bm25(stored, caller, query).items()
            for one in stored
            if words
            and one.name == name
            and one.is_shown
            and (names is None or name in names)
            and (types is None or any(has_file_type(kind, one.file_type, None) for kind in types))
        }
        assert len(hits) == min(limit, len(expected))
        for hit in hits:
            assert hit.words == pytest.approx(expected[hit.document_id, hit.chunk_index], rel=1e-3)
            assert hit.cosine is None
        if reads_all or few_chunks:
            best = sorted(expected.values(), reverse=True)[:limit]
            assert [hit.words for hit in hits] == pytest.approx(best, rel=1e-3)
            assert [hit.score for hit in hits] == pytest.approx([words / best[0] for words in best], rel=1e-3)


async def test_both_sides_make_half_of_the_score_each_by_the_range_of_their_values(
    english: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "LEAST_PER_SIDE", 1000)  # their values are all that there are
    dice, numbers = random.Random(4), np.random.default_rng(4)  # noqa: S311 - the same each time
    stored = [
        replace(one, vectors=[unit(numbers) for _ in one.texts], is_shown=True) for one in made_up(dice, 25)
    ]
    for one in stored:
        await store(english, one)
    for _ in range(10):
        caller, query, near = dice.choice((ALICE, BOB, LOCAL_USER)), dice.choice(WORDS), unit(numbers)
        words = bm25(stored, caller, query)
        passages = {
            (one.name, first): max(
                words[one.name, index] for index in range(first, min(first + 2, len(one.texts)))
            )
            for one in stored
            if caller.may_see(one.owner_id)
            for first, _ in one.passages
        }
        cosine = {
            (one.name, index): float(np.dot(vector, near))
            for one in stored
            if caller.may_see(one.owner_id)
            for index, vector in enumerate(one.vectors)
        }
        low, high = (pick(cosine.values()) for pick in (min, max))
        expected = {
            key: (cosine[key] - low) / (high - low) / 2 + words[key] / max(passages.values()) / 2
            for key in words
        }
        hits = await found(english, caller, query, near, mode="hybrid", limit=20)
        best = sorted(expected.values(), reverse=True)[:20]
        assert [hit.score for hit in hits] == pytest.approx(best, abs=2e-3)  # of half the bits
        for hit in hits:
            key = hit.document_id, hit.chunk_index
            assert hit.words == pytest.approx(words[key], rel=1e-3)
            assert hit.cosine == pytest.approx(cosine[key], abs=2e-3)
        least = dice.uniform(low, high)
        kept = {key for key in words if words[key] or cosine[key] >= least}
        hits = await found(english, caller, query, near, mode="hybrid", limit=100, minCosine=least + 2e-3)
        assert {(hit.document_id, hit.chunk_index) for hit in hits} <= kept
        assert len(hits) >= len({key for key in words if words[key] or cosine[key] >= least + 4e-3})


def unit(numbers: np.random.Generator) -> list[float]:
    vector = numbers.normal(size=DIMENSIONS)
    return list(map(float, vector / np.linalg.norm(vector)))


async def test_nobodys_scores_tell_which_words_others_have(english: AsyncEngine) -> None:
    await store(english, Stored("mine", "bob", ["bee wasp", "hive", "bee"]))
    before = await found(english, BOB, "bee hive")
    for number in range(20):
        await store(english, Stored(f"others{chr(97 + number)}", "alice", ["bee smoke", "hive", "lamp"]))
    assert await found(english, BOB, "bee hive") == before
    assert await found(english, BOB, "smoke lamp") == []


async def test_frequencies_of_many_passages_are_counted_in_the_background_and_are_the_callers_own(
    english: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        texts = ["bee bee wasp", "bee", "hive smoke" if number % 3 == 0 else "smoke", "bee"]
        await store(
            english, Stored(f"hers{'abcdefghij'[number // 10]}{'abcdefghij'[number % 10]}", "alice", texts)
        )
    await store(english, Stored("his", "bob", ["bee", "moss"]))
    exact = [await found(english, caller, "bee hive moss", limit=100) for caller in (ALICE, BOB, LOCAL_USER)]
    assert await views(english) == {}
    monkeypatch.setattr(term_views, "MOST_COUNTED", 20)
    for caller in (ALICE, BOB, LOCAL_USER):
        await found(english, caller, "bee hive moss")
    assert await views(english) == {"of alice": None, "all": None}
    while True:
        async with english.begin() as connection:
            if not await term_counting.recount_view(connection):
                break
    assert await views(english) == {"of alice": 60, "all": 61}
    again = [await found(english, caller, "bee hive moss", limit=100) for caller in (ALICE, BOB, LOCAL_USER)]
    assert again == exact


async def test_a_search_waits_for_no_count_and_goes_on_where_nothing_can_be_noted(
    english: AsyncEngine, migrated_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(term_views, "MOST_COUNTED", 1)
    await store(english, Stored("one", "alice", ["bee"]))
    assert len(await found(english, ALICE, "bee")) == 1
    async with english.begin() as counting:
        await counting.execute(text("SELECT FROM term_views FOR UPDATE"))
        await asyncio.wait_for(term_views.want_counted(english, term_views.TermView(ALICE)), 5)
    await english.dispose()
    with psycopg.connect(migrated_database_url, autocommit=True) as server:
        server.execute("DELETE FROM term_views")
        server.execute(f"ALTER DATABASE {server.info.dbname} SET default_transaction_read_only = on")
    assert len(await found(english, ALICE, "bee")) == 1


async def views(engine: AsyncEngine) -> dict[str, int | None]:
    """Each view that was searched, with its passages once they are counted."""
    counted = "CASE WHEN counted_at IS NOT NULL THEN passage_count END"
    async with engine.connect() as connection:
        rows = await connection.execute(text(f"SELECT view, {counted} FROM term_views"))  # noqa: S608 - ours
        return dict(rows.tuples().all())


async def test_nothing_is_left_of_a_document_that_is_removed(english: AsyncEngine) -> None:
    for name in ("one", "two"):
        await store(english, Stored(name, None, ["bee wasp", "hive"]))
    assert {hit.document_id for hit in await found(english, LOCAL_USER, "bee")} == {"one", "two"}
    async with english.begin() as connection:
        await remove_document(connection, "one")
        left = (await connection.execute(text("SELECT DISTINCT document_id FROM passages"))).scalars().all()
    assert left == ["two"]
    assert {hit.document_id for hit in await found(english, LOCAL_USER, "bee")} == {"two"}


async def test_what_is_not_embedded_yet_is_not_found(english: AsyncEngine) -> None:
    await store(english, Stored("waits", None, ["bee wasp"], is_shown=False))
    assert await found(english, LOCAL_USER, "bee") == []


@pytest.mark.parametrize("query", ["?! …", "the " * 2000, " ".join(f"w{n}x" for n in range(2000))[:9_999]])
async def test_queries_of_no_words_or_of_thousands_are_answered(english: AsyncEngine, query: str) -> None:
    await store(english, Stored("one", None, ["the w7x hive"]))
    hits = await found(english, LOCAL_USER, query)
    assert len(hits) == (0 if "…" in query else 1)
