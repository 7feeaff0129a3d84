"""Finds the chunks nearest to a query: exactly, or by the index."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from pgvector.sqlalchemy import HALFVEC, Vector
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Float,
    Row,
    Select,
    Subquery,
    Text,
    and_,
    any_,
    bindparam,
    cast,
    func,
    literal_column,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.commands import QueryEmbedding
from services.api.search.parameters import LIMIT, once
from services.api.search.scope import SHAPES, Scope, ScopeShape
from services.runtime.database.tables import documents
from services.runtime.database.vector_index import MAX_INDEXED_DIMENSIONS
from services.runtime.database.vector_tables import embeddings, vectors

CANDIDATES = 200
"""pgvector's hnsw.ef_search: how many candidates are looked at; recall grows with it."""

_BY_INDEX = "; ".join(
    f"SET LOCAL {setting}"
    for setting in (
        "hnsw.iterative_scan = strict_order",
        f"hnsw.ef_search = {CANDIDATES}",
        # From the nearest vector on, one by one: whatever else seems cheaper by the statistics looks at all.
        *(f"enable_{way} = off" for way in ("seqscan", "sort", "hashjoin", "mergejoin")),
    )
)
_EXACTLY = "; ".join(
    f"SET LOCAL {setting}"
    for setting in ("enable_seqscan = off", "enable_sort = on", "enable_hashjoin = on", "jit = off")
)
"""What may be shown is little of the table: it is to be found by the documents, whatever the statistics say."""

_MODEL: ColumnElement[str] = bindparam("model", type_=Text)
_NOBODY: ColumnElement[str] = literal_column("''")
_KEY = (embeddings.c.document_id, embeddings.c.attempt, embeddings.c.index)
_VECTOR = vectors.c.vector_id == embeddings.c.vector_id
_IS_OLD = and_(embeddings.c.vector_id.is_(None), embeddings.c.embedding.is_not(None))
"""Written by the last release, with a vector of its own, and not taken over yet."""
_HAS_OLD = select(select(embeddings).where(_IS_OLD, embeddings.c.model == _MODEL).exists())
_SHOWN = and_(
    documents.c.document_id == embeddings.c.document_id, documents.c.visible_attempt == embeddings.c.attempt
)


async def nearest(
    connection: AsyncConnection, scope: Scope, query: QueryEmbedding, limit: int, *, is_few: bool
) -> Sequence[Row[Any]]:
    """Return the ``limit`` chunks of the scope that are nearest to a query, or all that there are, nearest first.

    Of each its document, attempt and index, and its cosine. ``is_few`` where the chunks of the scope are few. Never
    fewer than exist: an index is scanned only so far, and what it does not reach, because nearer chunks of
    others stand before it, is found by looking at all that may be shown.
    """
    dimensions = len(query.vector)
    values = {**scope.values, "vector": str(query.vector), "model": query.model, "limit": limit}
    if dimensions <= MAX_INDEXED_DIMENSIONS and not is_few:
        await connection.exec_driver_sql(_BY_INDEX)
        owners = ["", scope.caller.owner_id or ""]
        found = await _nearest_by_index(
            connection, scope.shape, dimensions, limit, {**values, "owners": owners}
        )
        if len(found) == limit:
            return found
    await connection.exec_driver_sql(_EXACTLY)
    rows: Sequence[Row[Any]] = (await connection.execute(_exactly(scope.shape, dimensions), values)).all()
    return rows


async def _nearest_by_index(
    connection: AsyncConnection, shape: ScopeShape, dimensions: int, limit: int, values: Mapping[str, object]
) -> Sequence[Row[Any]]:
    """Return fewer than ``limit`` where an index may not have reached all that is near."""
    by_index = await connection.execute(_by_index(shape, dimensions), values)
    found: Sequence[Row[Any]] = by_index.all()
    if not await connection.scalar(_HAS_OLD, values):
        return found
    old = (await connection.execute(_by_old_index(shape, dimensions), values)).all()
    if len(old) < limit:
        return []  # they are few by now, among the traces of those that were taken over
    return sorted([*found, *old], key=lambda row: -row.cosine)[:limit]


@lru_cache(SHAPES)
def _by_index(shape: ScopeShape, dimensions: int) -> Select[Any]:
    distance = _distance(dimensions)
    best = (
        select(*_KEY, distance.label("distance"))
        .select_from(vectors)
        .join(embeddings, _VECTOR)
        .join(documents, _SHOWN)
        .where(vectors.c.model == _MODEL, *_owned(shape), *shape.conditions)
        .order_by(distance)
        .limit(LIMIT)
        .subquery("best")
    )
    return _best(best)


def _owned(shape: ScopeShape) -> tuple[ColumnElement[bool], ...]:
    """Return a condition by which others' chunks of a text, which may be thousands, are skipped in the index."""
    if shape.sees_all:
        return ()
    owner: ColumnElement[str] = func.coalesce(embeddings.c.owner_id, _NOBODY)
    return (owner == any_(bindparam("owners", type_=ARRAY(Text))),)


@lru_cache(SHAPES)
def _by_old_index(shape: ScopeShape, dimensions: int) -> Select[Any]:
    distance = _old_distance(dimensions)
    best = (
        select(*_KEY, distance.label("distance"))
        .select_from(embeddings)
        .join(documents, _SHOWN)
        .where(embeddings.c.model == _MODEL, _IS_OLD, *shape.conditions)
        .order_by(distance)
        .limit(LIMIT)
        .subquery("best")
    )
    return _best(best)


@lru_cache(SHAPES)
def _exactly(shape: ScopeShape, dimensions: int) -> Select[Any]:
    """All distances first, of what may be shown; then the texts of the nearest alone.

    Of each vector once, however many chunks have it, and of all in one go through the key's index: fetched by join,
    5,000 take 13 ms in place of 5. The nearest chunks have the nearest vectors, so as many of those are enough.
    """
    shown = (
        select(*_KEY, embeddings.c.vector_id, _old_distance(dimensions).label("distance"))
        .select_from(documents)
        .join(embeddings, _SHOWN)
        .where(embeddings.c.model == _MODEL, *shape.conditions)
        .cte("shown")
        .prefix_with("MATERIALIZED")
    )
    wanted = func.array(select(shown.c.vector_id).scalar_subquery(), type_=ARRAY(BigInteger))
    distances = select(vectors.c.vector_id, _distance(dimensions).label("distance")).where(
        vectors.c.vector_id == any_(wanted)
    )
    each = distances.cte("each").prefix_with("MATERIALIZED")
    nearest = select(each).order_by(each.c.distance).limit(LIMIT).subquery("nearest")
    key = [shown.c[column.name] for column in _KEY]
    of_texts = select(*key, nearest.c.distance).join(nearest, nearest.c.vector_id == shown.c.vector_id)
    old = select(*key, shown.c.distance).where(shown.c.vector_id.is_(None))
    both = union_all(of_texts, old).subquery("both")
    best = select(both).order_by(both.c.distance).limit(LIMIT).subquery("best")
    return _best(best)


def _best(best: Subquery) -> Select[Any]:
    key = best.c.document_id, best.c.attempt, best.c.index.label("chunk_index")
    return select(*key, (1 - best.c.distance).label("cosine")).order_by(best.c.distance)


def _distance(dimensions: int) -> ColumnElement[float]:
    """Return the cosine distance as the index has it: by the dimensions of the model."""
    return _cosine_distance(vectors.c.embedding, HALFVEC(dimensions))


def _old_distance(dimensions: int) -> ColumnElement[float]:
    """Return the cosine distance as the last release's index has it."""
    return _cosine_distance(embeddings.c.embedding, Vector(dimensions))


def _cosine_distance(embedding: ColumnElement[Any], kind: HALFVEC | Vector) -> ColumnElement[float]:
    return cast(embedding, kind).op("<=>", return_type=Float())(once("vector", kind))
