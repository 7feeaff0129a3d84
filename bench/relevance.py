"""How well search finds: nDCG@10 and recall@100 on a collection in BEIR's form, by each mode.

The folder has ``corpus.jsonl`` (``_id``, ``title``, ``text``), ``queries.jsonl`` (``_id``, ``text``) and
``qrels.tsv`` (or ``qrels/test.tsv``). Each text is uploaded as a document of its own, a heading and what
follows, to a system of the benchmark's own, and each query is asked of it over HTTP. A hit counts for its
document, the first of each. The same queries are answered by sentence-transformers alone in the same run:
whole texts, as far as the model reads, and exact cosines. Times are of one search after another.

    python -m bench.relevance FOLDER [--queries 0]
"""

import argparse
import json
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import httpx
import numpy as np
import psycopg

from bench.documents import await_all, cpu_seconds, running, upload_one
from services.embedder.checksum import bundled_directory
from tests.support.system import System

MODES = ("hybrid", "semantic", "words")
AT_10, AT_100 = 10, 100
AT_ONCE = 8

Ranked = Mapping[str, Sequence[str]]
"""The ids of what was found for each query, best first."""


@dataclass(frozen=True)
class Collection:
    """Titles with texts, and queries, by their ids, and for each query how much each relevant text is worth."""

    corpus: Mapping[str, tuple[str, str]]
    queries: Mapping[str, str]
    relevant: Mapping[str, Mapping[str, int]]


def read_collection(folder: Path, most_queries: int = 0) -> Collection:
    """Read a folder in BEIR's form; of its judged queries the first ``most_queries``, or all where that is 0."""
    corpus = {
        one["_id"]: (one.get("title", "").strip(), one["text"]) for one in _lines(folder / "corpus.jsonl")
    }
    queries = {one["_id"]: one["text"] for one in _lines(folder / "queries.jsonl")}
    relevant: dict[str, dict[str, int]] = {}
    for query, text, score in _judgements(folder):
        if score > 0 and text in corpus and query in queries:
            relevant.setdefault(query, {})[text] = score
    asked = list(islice(relevant, most_queries or None))
    return Collection(
        corpus, {name: queries[name] for name in asked}, {name: relevant[name] for name in asked}
    )


def _lines(path: Path) -> Iterator[dict[str, str]]:
    with path.open() as file:
        yield from map(json.loads, file)


def _judgements(folder: Path) -> Iterator[tuple[str, str, int]]:
    path = next(path for path in (folder / "qrels.tsv", folder / "qrels" / "test.tsv") if path.exists())
    for line in path.read_text().splitlines():
        query, text, score = line.split("\t")
        if score.lstrip("-").isdigit():  # and not the heading
            yield query, text, int(score)


def ndcg(found: Sequence[str], relevant: Mapping[str, int], at: int = AT_10) -> float:
    """Return the discounted gain of what was found, as a part of the best that there could be."""

    def gain(scores: Iterable[int]) -> float:
        return sum(score / math.log2(place + 2) for place, score in enumerate(islice(scores, at)))

    return gain(relevant.get(one, 0) for one in found) / gain(sorted(relevant.values(), reverse=True))


def recall(found: Sequence[str], relevant: Mapping[str, int], at: int = AT_100) -> float:
    """Return the part of the relevant that was found."""
    return len(relevant.keys() & set(found[:at])) / len(relevant)


def report(name: str, found: Ranked, collection: Collection, seconds: Sequence[float] = ()) -> None:
    """Print a row."""
    judged = [(found[query], relevant) for query, relevant in collection.relevant.items()]
    gains, recalls = (np.mean([measure(*one) for one in judged]) for measure in (ndcg, recall))
    times = np.percentile(np.array(seconds) * 1000, [50, 99]) if seconds else None
    took = f"{times[0]:.0f} / {times[1]:.0f} ms" if times is not None else ""
    print(f"| {name} | {gains:.3f} | {recalls:.3f} | {took} |", flush=True)


def upload_all(system: System, collection: Collection) -> dict[str, str]:
    """Upload every text; return the collection's ids by those of documents."""
    names = list(collection.corpus)
    with httpx.Client(base_url=system.url, timeout=60, trust_env=False) as client:

        def upload(number: int) -> None:
            title, text = collection.corpus[names[number]]
            content = f"# {title}\n\n{text}" if title else text
            while not upload_one(client, f"{number}.md", content.encode()):
                time.sleep(0.2)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(upload, range(len(names))))
    with psycopg.connect(system.database_url, autocommit=True) as database:
        await_all(database)
        rows = database.execute("SELECT document_id, filename FROM documents").fetchall()
        database.execute("ANALYZE")
    return {document_id: names[int(filename.removesuffix(".md"))] for document_id, filename in rows}


def search_all(
    system: System, collection: Collection, names: Mapping[str, str], mode: str, limit: int
) -> tuple[dict[str, list[str]], list[float]]:
    """Ask every query; return the ids found, and the seconds that each took."""
    found: dict[str, list[str]] = {}
    seconds = []
    with httpx.Client(base_url=system.url, timeout=60, trust_env=False) as client:
        for query, text in collection.queries.items():
            began = time.perf_counter()
            answer = client.post(
                "/api/v1/search", json={"query": text[:10_000], "mode": mode, "limit": limit}
            )
            seconds.append(time.perf_counter() - began)
            items = answer.raise_for_status().json()["items"]
            found[query] = list(dict.fromkeys(names[item["documentId"]] for item in items))
    return found, seconds


def sentence_transformers_alone(collection: Collection) -> dict[str, list[str]]:
    """Answer every query by the model alone: one vector for each text, and exact cosines."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(bundled_directory()), device="cpu")
    names = list(collection.corpus)
    texts, asked = (
        model.encode(all_of_them, normalize_embeddings=True, batch_size=32)
        for all_of_them in (
            [f"{title} {text}".strip() for title, text in collection.corpus.values()],
            list(collection.queries.values()),
        )
    )
    best = np.argsort(-(asked @ texts.T), axis=1)[:, :AT_100]
    return {query: [names[at] for at in row] for query, row in zip(collection.queries, best, strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--queries", type=int, default=0)
    given = parser.parse_args()
    collection = read_collection(given.folder, given.queries)
    with running() as (system, processes, _):
        began = time.monotonic()
        names = upload_all(system, collection)
        took, spent = time.monotonic() - began, {name: cpu_seconds(one) for name, one in processes.items()}
        used = ", ".join(f"{name} {seconds:.0f}" for name, seconds in spent.items())
        print(f"{len(names):,} texts in {took:.0f} s; CPU seconds, with the start: {used}\n", flush=True)
        print("| | nDCG@10 | recall@100 | p50 / p99 of 10 hits |\n| --- | --- | --- | --- |", flush=True)
        for mode in MODES:
            _, seconds = search_all(system, collection, names, mode, AT_10)
            found, _ = search_all(system, collection, names, mode, AT_100)
            report(mode, found, collection, seconds)
    report("sentence-transformers alone, exact", sentence_transformers_alone(collection), collection)


if __name__ == "__main__":
    main()
