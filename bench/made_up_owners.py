"""Made-up owners of vectors, in a database as `make up` sets one up: what a search is measured on.

Vectors near one another, as texts of one trade are: centres and noise around them, of unit length.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psycopg
from numpy.typing import NDArray

from local.backing.postgres import EmbeddedPostgres
from services.runtime.database.engine import create_engine
from services.runtime.database.migrate import migrate
from services.runtime.database.vector_index import ensure_vector_index

Vectors = NDArray[np.float32]

MODEL, DIMENSIONS = "made-up", 384
CHUNKS_OF_DOCUMENT = 200


@dataclass(frozen=True)
class Owned:
    """An owner's vectors, and for each of his chunks which of them it has."""

    owner: str
    vectors: Vectors
    of_chunk: NDArray[np.int64]

    @property
    def by_chunk(self) -> Vectors:
        """Shape (chunks, DIMENSIONS)."""
        found: Vectors = self.vectors[self.of_chunk]
        return found


def each_its_own(owner: str, vectors: Vectors) -> Owned:
    """An owner none of whose chunks say the same."""
    return Owned(owner, vectors, np.arange(len(vectors)))


def near(dice: np.random.Generator, centres: Vectors, count: int, *, noise: float = 0.8) -> Vectors:
    """Unit vectors of shape (count, DIMENSIONS), each near one of the centres."""
    around = dice.normal(size=(count, DIMENSIONS)) * noise / np.sqrt(DIMENSIONS)
    vectors = centres[dice.integers(len(centres), size=count)] + around
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@contextmanager
def database(revision: str = "head") -> Iterator[str]:
    """A fresh database, as `make up` sets one up; as it was at an older ``revision``."""
    with tempfile.TemporaryDirectory() as directory:
        server = EmbeddedPostgres(Path(directory) / "postgres", durable=False)
        server.start()
        try:
            migrate(server.url, revision)
            yield server.url
        finally:
            server.stop()


def store(url: str, owned: Owned) -> None:
    """Store an owner's vectors, and documents of some chunks each that point to them."""
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        (first,) = cursor.execute("SELECT coalesce(max(vector_id), 0) + 1 FROM vectors").fetchone() or (1,)
        with cursor.copy("COPY vectors (vector_id, model, text_hash, embedding) FROM STDIN") as rows:
            for number, vector in enumerate(owned.vectors, start=first):
                rows.write_row((number, MODEL, f"{owned.owner} {number}".encode(), str(vector.tolist())))
        cursor.execute(
            "SELECT setval(pg_get_serial_sequence('vectors', 'vector_id'), max(vector_id)) FROM vectors"
        )
        for number, start in enumerate(range(0, len(owned.of_chunk), CHUNKS_OF_DOCUMENT)):
            part = owned.of_chunk[start : start + CHUNKS_OF_DOCUMENT] + first
            store_document(cursor, owned.owner, f"{owned.owner}-{number}", part.tolist())


def store_document(cursor: psycopg.Cursor, owner: str, name: str, vector_ids: Sequence[int]) -> None:
    """Store a document whose chunks have these vectors."""
    cursor.execute(
        "INSERT INTO documents (document_id, owner_id, filename, file_type, sha256, created_at,"
        " attempted_at, updated_at, status, status_attempt, visible_attempt, chunk_count)"
        " VALUES (%s, %s, 'a.txt', 'text/plain', %s, now(), now(), now(), 'embedded', 1, 1, %s)",
        (name, owner, name, len(vector_ids)),
    )
    cursor.execute(
        "INSERT INTO attempts (document_id, attempt, chunk_count, token_count, batch_chunks, batches,"
        " started_at) VALUES (%s, 1, 1, 1, 1, 1, now())",
        (name,),
    )
    with cursor.copy("COPY chunks (document_id, attempt, index, text, token_count) FROM STDIN") as rows:
        for index in range(len(vector_ids)):
            rows.write_row((name, 1, index, f"Chunk {index} of {name}. " * 20, 128))
    with cursor.copy(
        "COPY embeddings (document_id, attempt, index, model, owner_id, vector_id) FROM STDIN"
    ) as rows:
        for index, vector_id in enumerate(vector_ids):
            rows.write_row((name, 1, index, MODEL, owner, vector_id))


def print_sizes(url: str) -> None:
    """Print bytes of the table and of its index."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT pg_size_pretty(pg_table_size('vectors')), (SELECT pg_size_pretty(pg_relation_size(indexrelid))"
            " FROM pg_index WHERE pg_get_indexdef(indexrelid) LIKE '%hnsw%')"
        ).fetchone()
    print(f"vectors take {row[0]}, their index {row[1]}" if row else "", flush=True)


def drop_index(url: str) -> None:
    """Drop the index, to be built again over more: quicker than an insert for each."""
    with psycopg.connect(url) as connection:
        connection.execute("DELETE FROM vectors WHERE starts_with(encode(text_hash, 'escape'), 'new')")
        for (name,) in connection.execute(
            "SELECT indexname FROM pg_indexes WHERE starts_with(indexname, 'vectors_hnsw')"
        ).fetchall():
            connection.execute(f"DROP INDEX {name}")


async def build_index(url: str) -> None:
    """Make the index over what is stored."""
    engine = create_engine(url)
    await ensure_vector_index(engine, MODEL, DIMENSIONS)
    await engine.dispose()
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("ANALYZE")
