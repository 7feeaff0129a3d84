"""Search finds what there is: of any owners, documents, types and copies, compared with looking at everything."""

import random
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import numpy as np
import psycopg
import pytest
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.commands import QueryEmbedding
from services.api.access.caller import LOCAL_USER, Caller
from services.api.documents.file_types import has_file_type
from services.api.search import scope
from services.api.search.search import SearchRequest, search
from services.runtime.database.engine import create_engine
from services.runtime.database.vector_index import ensure_vector_index, vector_index_name
from services.search_terms.fusion import SearchMode

pytestmark = pytest.mark.anyio

MODEL, DIMENSIONS = "made-up", 16
TITLE = '{"title": "A title"}'
Vector = NDArray[np.float64]
ALICE, BOB = Caller("alice", sees_all=False), Caller("bob", sees_all=False)


@dataclass(frozen=True)
class Stored:
    """A chunk as it was stored."""

    document_id: str
    index: int
    owner_id: str | None
    file_type: str
    vector: Vector
    is_shown: bool = True
    by_last_release: bool = False
    """With a vector of its own, in place of one that all that say the same point to."""


def unit(vector: Vector) -> Vector:
    unit_vector: Vector = vector / np.linalg.norm(vector)
    return unit_vector


async def store(database_url: str, stored: Sequence[Stored]) -> None:
    documents = {one.document_id: one for one in stored}
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        cursor = connection.cursor()
        await cursor.executemany(
            "INSERT INTO documents (document_id, owner_id, filename, file_type, sha256, created_at, attempted_at,"
            " updated_at, status, status_attempt, visible_attempt, deleted_at, chunk_count)"
            " VALUES (%s, %s, %s, %s, %s, now(), now(), now(), 'embedded', 1, 1, %s, %s)",
            [
                (
                    name,
                    one.owner_id,
                    f"{name}.x",
                    one.file_type,
                    name,
                    None if one.is_shown else "now",
                    sum(other.document_id == name for other in stored),
                )
                for name, one in documents.items()
            ],
        )
        await cursor.executemany(
            "INSERT INTO attempts (document_id, attempt, chunk_count, token_count, batch_chunks, batches,"
            " started_at, details) VALUES (%s, 1, 1, 1, 1, 1, now(), %s)",
            [(name, TITLE) for name in documents],
        )
        async with cursor.copy(
            "COPY chunks (document_id, attempt, index, text, token_count) FROM STDIN"
        ) as copy:
            for one in stored:
                await copy.write_row((one.document_id, 1, one.index, f"chunk {one.index}", 2))
        async with cursor.copy(
            "COPY embeddings (document_id, attempt, index, model, embedding) FROM STDIN"
        ) as copy:
            for one in stored:
                if one.by_last_release:
                    await copy.write_row((one.document_id, 1, one.index, MODEL, str(one.vector.tolist())))
        await point(cursor, [one for one in stored if not one.by_last_release])
        await connection.execute("ANALYZE")


async def point(cursor: psycopg.AsyncCursor, stored: Sequence[Stored]) -> None:
    """Store each vector once, and point all that have it to that."""
    vectors = {str(one.vector.tolist()): number for number, one in enumerate(stored, start=1)}
    async with cursor.copy("COPY vectors (vector_id, model, text_hash, embedding) FROM STDIN") as copy:
        for vector, number in vectors.items():
            await copy.write_row((number, MODEL, vector[:1000].encode(), vector))
    async with cursor.copy(
        "COPY embeddings (document_id, attempt, index, model, owner_id, vector_id) FROM STDIN"
    ) as copy:
        for one in stored:
            number = vectors[str(one.vector.tolist())]
            await copy.write_row((one.document_id, 1, one.index, MODEL, one.owner_id, number))


@pytest.fixture
async def engine(migrated_database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(migrated_database_url)
    await ensure_vector_index(engine, MODEL, DIMENSIONS)
    yield engine
    await engine.dispose()


async def found(
    engine: AsyncEngine, caller: Caller, vector: Vector, **wishes: object
) -> list[tuple[str, int]]:
    request = SearchRequest.model_validate({"query": "anything", "mode": "semantic", **wishes})
    result = await search(engine, caller, request, QueryEmbedding(model=MODEL, vector=vector.tolist()))
    assert [hit.score for hit in result.items] == sorted((hit.score for hit in result.items), reverse=True)
    assert result.model == MODEL
    return [(hit.document_id, hit.chunk_index) for hit in result.items]


async def test_an_owner_finds_all_that_is_his_beside_one_who_has_more_and_nearer(
    engine: AsyncEngine, migrated_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scope, "FEW_CHUNKS", 30)
    dice = np.random.default_rng(7)
    query = unit(dice.normal(size=DIMENSIONS))
    near = [
        Stored("large", n, "alice", "text/plain", unit(query + 0.1 * dice.normal(size=DIMENSIONS)))
        for n in range(3000)
    ]
    far = [
        Stored("small", n, "bob", "text/html", unit(-query + 0.2 * dice.normal(size=DIMENSIONS)))
        for n in range(40)
    ]
    await store(migrated_database_url, [*near, *far])
    async with engine.begin() as connection:  # so little that the index gives up far from the forty
        name = await connection.scalar(select(func.current_database()))
        for setting in ("hnsw.max_scan_tuples = 100", "enable_sort = off"):  # and the index is what is taken
            await connection.exec_driver_sql(f"ALTER DATABASE {name} SET {setting}")
    await engine.dispose()
    mine = {("small", n) for n in range(40)}
    assert set(await found(engine, BOB, query, limit=100)) == mine
    assert set(await found(engine, LOCAL_USER, query, limit=100, documentIds=["small"])) == mine
    assert set(await found(engine, LOCAL_USER, query, limit=100, fileType="text/html")) == mine
    assert set(await found(engine, LOCAL_USER, query, limit=100, fileType=["application/pdf"])) == set()
    monkeypatch.setattr(scope, "FEW_CHUNKS", 1000)
    assert set(await found(engine, BOB, query, limit=100)) == mine


async def test_search_gives_what_looking_at_everything_gives(
    engine: AsyncEngine, migrated_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice, draw = np.random.default_rng(11), random.Random(11)  # noqa: S311 - the same each time
    texts = [unit(dice.normal(size=DIMENSIONS)) for _ in range(40)]
    stored = [
        Stored(
            f"document-{number}",
            index,
            owner,
            kind,
            unit(draw.choice(texts) + draw.choice((0, 0.3)) * dice.normal(size=DIMENSIONS)),
            is_shown,
            by_last_release,
        )
        for number in range(60)
        for owner in [draw.choice((None, "alice", "alice", "bob"))]
        for kind in [draw.choice(("application/pdf", "text/plain", "text/html"))]
        for is_shown in [draw.random() < 0.9]
        for by_last_release in [draw.random() < 0.3]
        for index in range(draw.choice((1, 3, 20)))
    ]
    await store(migrated_database_url, stored)
    for _ in range(60):
        monkeypatch.setattr(scope, "FEW_CHUNKS", draw.choice((0, 50, 10_000)))
        caller = draw.choice((ALICE, BOB, LOCAL_USER))
        types = draw.choice((None, ["text/*"], ["application/pdf", "text/html"]))
        names = draw.choice((None, [f"document-{draw.randrange(70)}" for _ in range(8)]))
        limit, query = draw.choice((1, 10, 100)), unit(dice.normal(size=DIMENSIONS))
        wishes = {"limit": limit, "fileType": types, "documentIds": names}
        hits = await found(engine, caller, query, **wishes)
        cosine = {
            (one.document_id, one.index): float(one.vector @ query)
            for one in stored
            if one.is_shown
            and caller.may_see(one.owner_id)
            and (names is None or one.document_id in names)
            and (types is None or any(has_file_type(kind, one.file_type, None) for kind in types))
        }
        assert len(set(hits)) == len(hits) == min(limit, len(cosine))
        best = sorted(cosine.values(), reverse=True)[:limit]
        assert [cosine[hit] for hit in hits] == pytest.approx(best, abs=2e-3)  # of half the bits


async def test_a_search_takes_no_longer_once_its_statement_is_planned_for_all_queries(
    engine: AsyncEngine, migrated_database_url: str
) -> None:
    dice = np.random.default_rng(3)
    wide = [unit(dice.normal(size=384)) for _ in range(2000)]
    async with engine.begin() as connection:  # which is of vectors of another length
        await connection.exec_driver_sql(f"DROP INDEX {vector_index_name(MODEL)}")
    await store(
        migrated_database_url,
        [Stored("only", n, None, "text/plain", vector) for n, vector in enumerate(wide)],
    )
    quickest = {}
    for mode in ("force_custom_plan", "force_generic_plan"):
        async with engine.begin() as connection:
            name = await connection.scalar(select(func.current_database()))
            await connection.exec_driver_sql(f"ALTER DATABASE {name} SET plan_cache_mode = {mode}")
        await engine.dispose()
        took = []
        for _ in range(10):  # the first ones are not prepared
            began = time.perf_counter()
            await found(engine, LOCAL_USER, wide[0])
            took.append(time.perf_counter() - began)
        quickest[mode] = min(took[6:])
    assert quickest["force_generic_plan"] < 4 * quickest["force_custom_plan"]


async def test_a_hit_says_where_it_stands(engine: AsyncEngine, migrated_database_url: str) -> None:
    vector = unit(np.ones(DIMENSIONS))
    await store(migrated_database_url, [Stored("only", 0, None, "text/plain", vector)])
    request = SearchRequest(query="anything", mode=SearchMode.SEMANTIC)
    result = await search(engine, LOCAL_USER, request, QueryEmbedding(model=MODEL, vector=vector.tolist()))
    (hit,) = result.items
    assert (hit.title, hit.headings, hit.filename) == ("A title", [], "only.x")
    assert hit.cosine == pytest.approx(1, abs=1e-3)
