"""Reads of documents and chunks; each answer and its position come from one snapshot of the database."""

from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import ColumnElement, Select, select, text, union_all
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.document_calls import Sort
from services.api.access.caller import Caller
from services.api.documents.document_filter import DocumentFilter
from services.api.documents.sorting import after_cursor, encode_cursor, is_descending, sort_column
from services.api.documents.views import (
    COLUMNS,
    ChunkPage,
    ChunkView,
    DocumentPage,
    DocumentWithPosition,
    document_view,
)
from services.api.projection.projection_position import read_position
from services.api.refusals import NotFound
from services.runtime.database.engine import snapshot
from services.runtime.database.tables import IS_ALIVE, chunks, documents

_PLAN_EACH = text("SET LOCAL plan_cache_mode = force_custom_plan")
"""A statement that is planned for all owners alike is wrong for the largest or for the smallest."""


class ListRequest(DocumentFilter):
    """A page of the documents that a filter chooses."""

    sort: Sort = Sort.NEWEST
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: str | None = None


class NoSuchDocument(NotFound):
    """No such document, or another owner's."""

    detail = "There is no such document."


async def list_documents(engine: AsyncEngine, caller: Caller, request: ListRequest) -> DocumentPage:
    """Return a page in the order that is asked for; raises Invalid for a cursor that is none, Forbidden."""
    query = page_query(caller, request)
    async with snapshot(engine) as connection:
        await connection.execute(_PLAN_EACH)
        rows = (await connection.execute(query)).all()
        position = await read_position(connection)
    items = [document_view(row) for row in rows[: request.limit]]
    more = None
    if len(rows) > request.limit:
        last = rows[request.limit - 1]
        more = encode_cursor(request.sort, last.sort_key, last.document_id)
    return DocumentPage(items=items, next_cursor=more, position=str(position))


def page_query(caller: Caller, request: ListRequest) -> "Select[*tuple[Any, ...]]":
    """One row more than a page: each owner's part from an index in order, and then the first of all parts."""
    column = sort_column(request.sort)
    conditions = [IS_ALIVE, *request.conditions()]
    if request.cursor:
        conditions.append(after_cursor(request.sort, request.cursor))
    parts = [
        _in_order(select(*COLUMNS, column.label("sort_key")).where(is_owned, *conditions), request, column)
        for is_owned in request.owned(caller)
    ]
    if len(parts) == 1:
        return parts[0]
    every = union_all(*(select(part.subquery()) for part in parts)).subquery()
    return _in_order(select(every), request, every.c.sort_key, every.c.document_id)


def _in_order(
    query: "Select[*tuple[Any, ...]]",
    request: ListRequest,
    column: ColumnElement[Any],
    document_id: ColumnElement[str] = documents.c.document_id,
) -> "Select[*tuple[Any, ...]]":
    order = (column, document_id)
    if is_descending(request.sort):
        return query.order_by(*(one.desc() for one in order)).limit(request.limit + 1)
    return query.order_by(*order).limit(request.limit + 1)


async def read_document(engine: AsyncEngine, caller: Caller, document_id: str) -> DocumentWithPosition:
    """Return one document; raises NoSuchDocument."""
    query = _visible(caller).where(documents.c.document_id == document_id)
    async with snapshot(engine) as connection:
        row = (await connection.execute(query)).one_or_none()
        position = await read_position(connection)
    if row is None:
        raise NoSuchDocument
    return DocumentWithPosition(**dict(document_view(row)), position=str(position))


async def list_chunks(
    engine: AsyncEngine, caller: Caller, document_id: str, *, limit: int, after: int
) -> ChunkPage:
    """Return the chunks after index ``after`` of the attempt that is shown: the searchable one, else the newest."""
    shown = select(documents.c.visible_attempt, documents.c.attempt).where(
        documents.c.document_id == document_id, IS_ALIVE, caller.visible()
    )
    async with engine.connect() as connection:
        row = (await connection.execute(shown)).one_or_none()
        if row is None:
            raise NoSuchDocument
        query = (
            select(*(chunks.c[name] for name in ChunkView.model_fields))
            .where(
                chunks.c.document_id == document_id, chunks.c.attempt == (row.visible_attempt or row.attempt)
            )
            .where(chunks.c.index > after)
            .order_by(chunks.c.index)
            .limit(limit + 1)
        )
        items = [ChunkView(**row._mapping) for row in await connection.execute(query)]
    more = str(items[limit - 1].index) if len(items) > limit else None
    return ChunkPage(items=items[:limit], next_cursor=more)


def _visible(caller: Caller) -> Select[tuple[object, ...]]:
    return select(*COLUMNS).where(IS_ALIVE, caller.visible())
