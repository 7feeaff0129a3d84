"""The index that finds the nearest vectors; one per model, since models differ in dimensions."""

import hashlib

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.runtime.database.engine import autocommit

MAX_INDEXED_DIMENSIONS = 4000
"""pgvector's HNSW takes ``halfvec`` of at most so many; wider ones are searched by scanning."""

_OLD_INDEXES = text(
    "SELECT quote_ident(indexname) FROM pg_indexes WHERE schemaname = current_schema()"
    " AND tablename = 'embeddings' AND starts_with(indexname, 'embeddings_hnsw_')"
    " AND NOT EXISTS (SELECT FROM embeddings WHERE embedding IS NOT NULL)"
    " AND NOT EXISTS (SELECT FROM upgrade_overlap)"
)


def vector_index_name(model: str) -> str:
    """A name that PostgreSQL takes (at most 63 bytes), different for each model."""
    return f"vectors_hnsw_{hashlib.sha256(model.encode()).hexdigest()[:16]}"


async def ensure_vector_index(engine: AsyncEngine, model: str, dimensions: int) -> None:
    """Create the HNSW index on cosine distance for ``model`` if it isn't there."""
    if dimensions > MAX_INDEXED_DIMENSIONS:
        return
    literal = model.replace("'", "''")
    statement = (
        f"CREATE INDEX IF NOT EXISTS {vector_index_name(model)} ON vectors "
        f"USING hnsw ((embedding::halfvec({int(dimensions)})) halfvec_cosine_ops) WHERE model = '{literal}'"
    )
    async with engine.begin() as connection:
        # IF NOT EXISTS is no protection against two embedders that start together.
        await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": statement})
        await connection.exec_driver_sql(statement)


async def drop_old_indexes(engine: AsyncEngine) -> None:
    """Drop the indexes of the last release, once no embedding has a vector of its own any more."""
    async with autocommit(engine).connect() as connection:
        for (name,) in (await connection.execute(_OLD_INDEXES)).all():
            await connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
