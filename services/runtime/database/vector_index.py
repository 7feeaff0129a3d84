"""The index that finds the nearest vectors; one per model, since models differ in dimensions."""

import hashlib

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

MAX_INDEXED_DIMENSIONS = 2000
"""pgvector's HNSW takes vectors of at most so many; wider ones are searched by scanning."""


def vector_index_name(model: str) -> str:
    """A name that PostgreSQL takes (at most 63 bytes), different for each model."""
    return f"embeddings_hnsw_{hashlib.sha256(model.encode()).hexdigest()[:16]}"


async def ensure_vector_index(engine: AsyncEngine, model: str, dimensions: int) -> None:
    """Create the HNSW index on cosine distance for ``model`` if it isn't there."""
    if dimensions > MAX_INDEXED_DIMENSIONS:
        return
    literal = model.replace("'", "''")
    statement = (
        f"CREATE INDEX IF NOT EXISTS {vector_index_name(model)} ON embeddings "
        f"USING hnsw ((embedding::vector({int(dimensions)})) vector_cosine_ops) WHERE model = '{literal}'"
    )
    async with engine.begin() as connection:
        # IF NOT EXISTS is no protection against two embedders that start together.
        await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": statement})
        await connection.exec_driver_sql(statement)
