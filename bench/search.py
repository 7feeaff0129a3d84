"""Search beside looking at everything: recall and time of owners of few and many chunks, beside copies; inserts.

Made-up vectors near one another, as texts of one trade are: centres and noise around them, of unit length. One
owner has three quarters of them, another 5,000, another 50. Of each the nearest ten are compared with those of
numpy over all that he may see, in full precision, and the time of the whole statement is taken, without the model.
Then 12,000 vectors beside 15,000 copies: chunks that say one of three texts (they share its vector), and the same
behind other titles: as the embedder stores them (some contexts of a text, and then the text by itself), and as if
each had a vector of its own. Then the cost of a vector's insert.

    python -m bench.search [--vectors 200000] [--queries 100] [--inserts 10000,100000,300000]
"""

import argparse
import asyncio
import time
from collections.abc import Sequence

import numpy as np
import psycopg

from bench.made_up_owners import (
    DIMENSIONS,
    MODEL,
    Owned,
    Vectors,
    build_index,
    database,
    drop_index,
    each_its_own,
    near,
    print_sizes,
    store,
)
from contracts.commands import QueryEmbedding
from services.api.access.caller import Caller
from services.api.search.search import SearchRequest, search
from services.lifecycle.batch_statements import MANY_CONTEXTS
from services.runtime.database.engine import create_engine

CENTRES = 400
LIMIT = 10
BESIDE, COPIES, COPIED = 12_000, 15_000, 3
"""Chunks beside the copies: more than are looked at one by one, so that the index is searched."""
TITLE_NOISE = 0.5
"""A notice of 400 characters behind ten titles: their mean cosine is 0.79 by all-MiniLM-L6-v2, and here 0.8."""
TIMED_INSERTS = 500


async def measure(url: str, own: Vectors, queries: Vectors, caller: Caller) -> str:
    """One line: recall of the ten nearest, and the time of a search."""
    engine = create_engine(url)
    seconds, found = [], 0
    request = SearchRequest(query="anything", limit=LIMIT)
    for query in queries:
        began = time.perf_counter()
        result = await search(engine, caller, request, QueryEmbedding(model=MODEL, vector=query.tolist()))
        seconds.append(time.perf_counter() - began)
        worst = np.sort(own @ query)[-LIMIT]
        found += sum(hit.cosine >= worst - 2e-4 for hit in result.items)  # of the rounding to half the bits
    all_hits = await search(
        engine,
        caller,
        SearchRequest(query="anything", limit=100),
        QueryEmbedding(model=MODEL, vector=queries[0].tolist()),
    )
    await engine.dispose()
    p50, p99 = np.percentile(np.array(seconds) * 1000, [50, 99])
    return (
        f"{len(own):>7,} chunks: recall@{LIMIT} {found / (LIMIT * len(queries)):.3f}, "
        f"{len(all_hits.items)} hits of {min(100, len(own))}, p50 {p50:.0f} ms, p99 {p99:.0f} ms"
    )


def measure_owners(dice: np.random.Generator, centres: Vectors, count: int, queries: int) -> None:
    """Print a line for each owner."""
    counts = {"large": count * 3 // 4, "middle": 5_000, "small": 50}
    counts["other"] = count - sum(counts.values())
    with database() as url:
        vectors = {owner: near(dice, centres, size) for owner, size in counts.items()}
        for owner, own in vectors.items():
            store(url, each_its_own(owner, own))
        began = time.perf_counter()
        asyncio.run(build_index(url))
        print(f"{count:,} vectors; the index was built in {time.perf_counter() - began:.0f} s", flush=True)
        print_sizes(url)
        asked = near(dice, centres, queries)
        for owner in ("small", "middle", "large"):
            line = asyncio.run(measure(url, vectors[owner], asked, Caller(owner, sees_all=False)))
            print(f"owner of {line}", flush=True)


def measure_copies(dice: np.random.Generator, centres: Vectors, queries: int) -> None:
    """Print the recall of vectors beside copies."""
    beside, asked = near(dice, centres, BESIDE), near(dice, centres, queries)
    texts = near(dice, centres, COPIED)
    said = Owned("copier", texts, dice.integers(COPIED, size=COPIES))
    titled = near(dice, texts, COPIES, noise=TITLE_NOISE)
    contexts = titled[: MANY_CONTEXTS * COPIED]
    few = np.concatenate([np.arange(len(contexts)), len(contexts) + said.of_chunk[len(contexts) :]])
    for what, copier in (
        ("the same text", said),
        ("the same behind other titles", Owned("copier", np.concatenate([contexts, texts]), few)),
        ("the same behind other titles, each embedded", each_its_own("copier", titled)),
    ):
        with database() as url:
            for owned in (each_its_own("owner", beside), copier):
                store(url, owned)
            asyncio.run(build_index(url))
            print(f"{BESIDE:,} beside {COPIES:,} chunks of {what}:", flush=True)
            everything = np.concatenate([beside, copier.by_chunk])
            for seen, caller, own in (
                ("all", Caller(None, sees_all=True), everything),
                ("those beside", Caller("owner", sees_all=False), beside),
            ):
                print(f"  by who sees {seen}: {asyncio.run(measure(url, own, asked, caller))}", flush=True)


def measure_inserts(dice: np.random.Generator, centres: Vectors, sizes: Sequence[int]) -> None:
    """Print what it costs to insert a vector among so many, one a statement."""
    with database() as url:
        stored = 0
        for size in sizes:
            drop_index(url)
            store(url, Owned(f"of-{size}", near(dice, centres, size - stored), np.arange(0)))
            asyncio.run(build_index(url))
            stored = size
            new = near(dice, centres, TIMED_INSERTS)
            with psycopg.connect(url, autocommit=True) as connection:
                began = time.perf_counter()
                for number, vector in enumerate(new):
                    connection.execute(
                        "INSERT INTO vectors (model, text_hash, embedding) VALUES (%s, %s, %s::halfvec)"
                        " ON CONFLICT DO NOTHING",
                        (MODEL, f"new {size} {number}".encode(), str(vector.tolist())),
                    )
                each = (time.perf_counter() - began) / TIMED_INSERTS
            print(f"an insert among {size:>7,} vectors: {each * 1000:.1f} ms", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--vectors", type=int, default=200_000)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--inserts", default="10000,100000,300000")
    asked = parser.parse_args()
    dice = np.random.default_rng(5)
    centres = (dice.normal(size=(CENTRES, DIMENSIONS)) / np.sqrt(DIMENSIONS)).astype(np.float32)
    if asked.vectors:
        measure_owners(dice, centres, asked.vectors, asked.queries)
    measure_copies(dice, centres, asked.queries)
    measure_inserts(dice, centres, [int(size) for size in asked.inserts.split(",") if size])


if __name__ == "__main__":
    main()
