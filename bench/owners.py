"""Search of an owner beside a far larger one: hits, recall and time, beside looking at everything.

Made-up vectors near one another, as texts of one trade are: centres and noise around them, of unit length. One
owner has three quarters of them, another 5,000, another 50. Of each the nearest ten are compared with those of
numpy over all that he may see, and the time of the whole statement is taken, without the model.

    python -m bench.owners [--vectors 200000] [--queries 100]
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

import numpy as np
import psycopg
from numpy.typing import NDArray

from contracts.commands import QueryEmbedding
from local.backing.postgres import EmbeddedPostgres
from services.api.access.caller import Caller
from services.api.search.search import SearchRequest, search
from services.runtime.database.engine import create_engine
from services.runtime.database.migrate import migrate
from services.runtime.database.vector_index import ensure_vector_index

Vectors = NDArray[np.float32]

MODEL, DIMENSIONS, CENTRES = "made-up", 384, 400
CHUNKS_OF_DOCUMENT = 200
LIMIT = 10


def made_up(dice: np.random.Generator, centres: Vectors, count: int) -> Vectors:
    """Unit vectors of shape (count, DIMENSIONS), each near one of the centres."""
    noise = dice.normal(size=(count, DIMENSIONS)) * 0.8 / np.sqrt(DIMENSIONS)
    vectors = centres[dice.integers(len(centres), size=count)] + noise
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def store(url: str, owner: str, vectors: Vectors) -> None:
    """Store an owner's vectors as documents of some chunks each."""
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        for number, start in enumerate(range(0, len(vectors), CHUNKS_OF_DOCUMENT)):
            part, name = vectors[start : start + CHUNKS_OF_DOCUMENT], f"{owner}-{number}"
            cursor.execute(
                "INSERT INTO documents (document_id, owner_id, filename, file_type, sha256, created_at,"
                " attempted_at, updated_at, status, status_attempt, visible_attempt, chunk_count)"
                " VALUES (%s, %s, 'a.txt', 'text/plain', %s, now(), now(), now(), 'embedded', 1, 1, %s)",
                (name, owner, name, len(part)),
            )
            cursor.execute(
                "INSERT INTO attempts (document_id, attempt, chunk_count, token_count, batch_chunks, batches,"
                " started_at) VALUES (%s, 1, 1, 1, 1, 1, now())",
                (name,),
            )
            with cursor.copy(
                "COPY chunks (document_id, attempt, index, text, token_count) FROM STDIN"
            ) as rows:
                for index in range(len(part)):
                    rows.write_row((name, 1, index, f"Chunk {index} of {name}. " * 20, 128))
            with cursor.copy(
                "COPY embeddings (document_id, attempt, index, model, embedding) FROM STDIN"
            ) as rows:
                for index, vector in enumerate(part):
                    rows.write_row((name, 1, index, MODEL, str(vector.tolist())))


async def measure(url: str, owner: str, own: Vectors, queries: Vectors) -> str:
    """One line: recall of the ten nearest, and the time of a search."""
    engine = create_engine(url)
    caller, seconds, found = Caller(owner, sees_all=False), [], 0
    request = SearchRequest(query="anything", limit=LIMIT)
    for query in queries:
        began = time.perf_counter()
        result = await search(engine, caller, request, QueryEmbedding(model=MODEL, vector=query.tolist()))
        seconds.append(time.perf_counter() - began)
        worst = np.sort(own @ query)[-LIMIT]
        found += sum(hit.cosine >= worst - 1e-5 for hit in result.items)
    all_hits = await search(
        engine,
        caller,
        SearchRequest(query="anything", limit=100),
        QueryEmbedding(model=MODEL, vector=queries[0].tolist()),
    )
    await engine.dispose()
    p50, p99 = np.percentile(np.array(seconds) * 1000, [50, 99])
    return (
        f"owner of {len(own):>7,} chunks: recall@{LIMIT} {found / (LIMIT * len(queries)):.3f}, "
        f"{len(all_hits.items)} hits of {min(100, len(own))}, p50 {p50:.0f} ms, p99 {p99:.0f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vectors", type=int, default=200_000)
    parser.add_argument("--queries", type=int, default=100)
    asked = parser.parse_args()
    dice = np.random.default_rng(5)
    centres = dice.normal(size=(CENTRES, DIMENSIONS)) / np.sqrt(DIMENSIONS)
    counts = {"large": asked.vectors * 3 // 4, "middle": 5_000, "small": 50}
    counts["other"] = asked.vectors - sum(counts.values())
    with tempfile.TemporaryDirectory() as directory:
        database = EmbeddedPostgres(Path(directory) / "postgres", durable=False)
        database.start()
        try:
            migrate(database.url)
            vectors = {owner: made_up(dice, centres, count) for owner, count in counts.items()}
            for owner, own in vectors.items():
                store(database.url, owner, own)
            began = time.perf_counter()
            asyncio.run(build_index(database.url))
            print(f"{asked.vectors:,} vectors; the index was built in {time.perf_counter() - began:.0f} s")
            queries = made_up(dice, centres, asked.queries)
            for owner in ("small", "middle", "large"):
                print(asyncio.run(measure(database.url, owner, vectors[owner], queries)))
        finally:
            database.stop()


async def build_index(url: str) -> None:
    """Make the index over what is stored."""
    engine = create_engine(url)
    await ensure_vector_index(engine, MODEL, DIMENSIONS)
    await engine.dispose()
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("ANALYZE")


if __name__ == "__main__":
    main()
