"""Finds the chunks nearest to a query, in three ways: exactly, by the index, or because they quote it."""

from collections.abc import Sequence
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
from services.api.search.scope import Scope
from services.runtime.database.tables import attempts, chunks, documents
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

_SIMPLE: ColumnElement[str] = literal_column("'simple'")
_NOBODY: ColumnElement[str] = literal_column("''")
_KEY = (embeddings.c.document_id, embeddings.c.attempt, embeddings.c.index)
_VECTOR = vectors.c.vector_id == embeddings.c.vector_id
_IS_OLD = and_(embeddings.c.vector_id.is_(None), embeddings.c.embedding.is_not(None))
"""Written by the last release, with a vector of its own, and not taken over yet."""
_SHOWN = and_(
    documents.c.document_id == embeddings.c.document_id, documents.c.visible_attempt == embeddings.c.attempt
)
_COLUMNS = (
    chunks.c.document_id,
    documents.c.filename,
    attempts.c.details["title"].astext.label("title"),
    chunks.c.index.label("chunk_index"),
    chunks.c.text,
    chunks.c.headings,
    chunks.c.page_start,
    chunks.c.page_end,
)
_ATTEMPT = and_(attempts.c.document_id == chunks.c.document_id, attempts.c.attempt == chunks.c.attempt)


async def nearest(
    connection: AsyncConnection, scope: Scope, query: QueryEmbedding, limit: int
) -> Sequence[Row[Any]]:
    """Return the ``limit`` chunks of the scope that are nearest to a query, or all that there are, nearest first.

    Never fewer than exist: an index is scanned only so far, and what it does not reach, because nearer chunks of
    others stand before it, is found by looking at all that may be shown.
    """
    if len(query.vector) <= MAX_INDEXED_DIMENSIONS and not await scope.has_few_chunks(connection):
        await connection.exec_driver_sql(_BY_INDEX)
        found = await _nearest_by_index(connection, scope, query, limit)
        if len(found) == limit:
            return found
    await connection.exec_driver_sql(_EXACTLY)
    rows: Sequence[Row[Any]] = (await connection.execute(_exactly(scope, query, limit))).all()
    return rows


async def quoting(
    connection: AsyncConnection, scope: Scope, query: QueryEmbedding, words: str, limit: int
) -> Sequence[Row[Any]]:
    """Return the chunks in which the words stand in a row, nearest first."""
    rows: Sequence[Row[Any]] = (await connection.execute(_quoting(scope, query, words, limit))).all()
    return rows


async def _nearest_by_index(
    connection: AsyncConnection, scope: Scope, query: QueryEmbedding, limit: int
) -> Sequence[Row[Any]]:
    """Return fewer than ``limit`` where an index may not have reached all that is near."""
    found: Sequence[Row[Any]] = (await connection.execute(_by_index(scope, query, limit))).all()
    is_of_model = embeddings.c.model == query.model
    if not await connection.scalar(select(select(embeddings).where(_IS_OLD, is_of_model).exists())):
        return found
    old = (await connection.execute(_by_old_index(scope, query, limit))).all()
    if len(old) < limit:
        return []  # they are few by now, among the traces of those that were taken over
    return sorted([*found, *old], key=lambda row: -row.cosine)[:limit]


def _by_index(scope: Scope, query: QueryEmbedding, limit: int) -> Select[Any]:
    distance = _distance(query)
    best = (
        select(*_KEY, distance.label("distance"))
        .select_from(vectors)
        .join(embeddings, _VECTOR)
        .join(documents, _SHOWN)
        .where(vectors.c.model == query.model, *_owned(scope), *scope.conditions)
        .order_by(distance)
        .limit(limit)
        .subquery("best")
    )
    return _of_chunks(best).order_by(best.c.distance)


def _owned(scope: Scope) -> tuple[ColumnElement[bool], ...]:
    """Return a condition by which others' chunks of a text, which may be thousands, are skipped in the index."""
    if scope.caller.sees_all:
        return ()
    owner: ColumnElement[str] = func.coalesce(embeddings.c.owner_id, _NOBODY)
    return (owner.in_(["", scope.caller.owner_id or ""]),)


def _by_old_index(scope: Scope, query: QueryEmbedding, limit: int) -> Select[Any]:
    distance = _old_distance(query)
    best = (
        select(*_KEY, distance.label("distance"))
        .select_from(embeddings)
        .join(documents, _SHOWN)
        .where(embeddings.c.model == query.model, _IS_OLD, *scope.conditions)
        .order_by(distance)
        .limit(limit)
        .subquery("best")
    )
    return _of_chunks(best).order_by(best.c.distance)


def _exactly(scope: Scope, query: QueryEmbedding, limit: int) -> Select[Any]:
    """All distances first, of what may be shown; then the texts of the nearest alone.

    Of each vector once, however many chunks have it, and of all in one go through the key's index: fetched by join,
    5,000 take 13 ms in place of 5. The nearest chunks have the nearest vectors, so as many of those are enough.
    """
    shown = (
        select(*_KEY, embeddings.c.vector_id, _old_distance(query).label("distance"))
        .select_from(documents)
        .join(embeddings, _SHOWN)
        .where(embeddings.c.model == query.model, *scope.conditions)
        .cte("shown")
        .prefix_with("MATERIALIZED")
    )
    wanted = func.array(select(shown.c.vector_id).scalar_subquery(), type_=ARRAY(BigInteger))
    distances = select(vectors.c.vector_id, _distance(query).label("distance")).where(
        vectors.c.vector_id == any_(wanted)
    )
    each = distances.cte("each").prefix_with("MATERIALIZED")
    nearest = select(each).order_by(each.c.distance).limit(limit).subquery("nearest")
    key = [shown.c[column.name] for column in _KEY]
    of_texts = select(*key, nearest.c.distance).join(nearest, nearest.c.vector_id == shown.c.vector_id)
    old = select(*key, shown.c.distance).where(shown.c.vector_id.is_(None))
    both = union_all(of_texts, old).subquery("both")
    best = select(both).order_by(both.c.distance).limit(limit).subquery("best")
    return _of_chunks(best).order_by(best.c.distance)


def _quoting(scope: Scope, query: QueryEmbedding, words: str, limit: int) -> Select[Any]:
    """Materialised, so that the few rows are sorted, and not the vector index scanned for a word."""
    has_words = func.to_tsvector(_SIMPLE, chunks.c.text).op("@@")(func.phraseto_tsquery(_SIMPLE, words))
    found = select(*(chunks.c[column.name] for column in _KEY)).where(has_words)
    quoting = found.cte("quoting").prefix_with("MATERIALIZED")
    best = (
        select(*_KEY, _any_distance(query).label("distance"))
        .select_from(quoting)
        .join(embeddings, and_(*(embeddings.c[column.name] == quoting.c[column.name] for column in _KEY)))
        .join(vectors, _VECTOR, isouter=True)
        .join(documents, _SHOWN)
        .where(embeddings.c.model == query.model, *scope.conditions)
        .order_by("distance")
        .limit(limit)
        .subquery("best")
    )
    return _of_chunks(best).order_by(best.c.distance)


def _of_chunks(best: Subquery) -> Select[Any]:
    return (
        select(*_COLUMNS, (1 - best.c.distance).label("cosine"))
        .select_from(best)
        .join(chunks, and_(*(chunks.c[column.name] == best.c[column.name] for column in _KEY)))
        .join(documents, documents.c.document_id == chunks.c.document_id)
        .join(attempts, _ATTEMPT)
    )


def _distance(query: QueryEmbedding) -> ColumnElement[float]:
    """Return the cosine distance as the index has it: by the dimensions of the model."""
    return _cosine_distance(vectors.c.embedding, query, HALFVEC(len(query.vector)))


def _old_distance(query: QueryEmbedding) -> ColumnElement[float]:
    """Return the cosine distance as the last release's index has it."""
    return _cosine_distance(embeddings.c.embedding, query, Vector(len(query.vector)))


def _any_distance(query: QueryEmbedding) -> ColumnElement[float]:
    return func.coalesce(_distance(query), _old_distance(query), type_=Float())


def _cosine_distance(
    embedding: ColumnElement[Any], query: QueryEmbedding, kind: HALFVEC | Vector
) -> ColumnElement[float]:
    return cast(embedding, kind).op("<=>", return_type=Float())(
        cast(bindparam(None, str(query.vector), Text), kind)
    )
