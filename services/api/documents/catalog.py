"""Reads of documents and chunks; each answer and its position come from one snapshot of the database."""

import base64
from collections.abc import Sequence
from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Select, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.statuses import Status
from contracts.wire import DocumentId, Timestamp
from services.api.access.caller import Caller
from services.api.documents.file_types import matches_file_type
from services.api.documents.views import (
    COLUMNS,
    ChunkPage,
    ChunkView,
    DocumentPage,
    DocumentView,
    DocumentWithPosition,
    document_view,
)
from services.api.projection.projection_position import read_position
from services.api.refusals import Invalid, NotFound
from services.runtime.database.engine import snapshot
from services.runtime.database.tables import IS_ALIVE, chunks, documents

_CURSOR = TypeAdapter(tuple[Timestamp, DocumentId])


class NoSuchDocument(NotFound):
    """No such document, or another owner's."""

    detail = "There is no such document."


async def list_documents(
    engine: AsyncEngine,
    caller: Caller,
    *,
    statuses: Sequence[Status],
    file_types: Sequence[str],
    limit: int,
    cursor: str | None,
) -> DocumentPage:
    """Return the newest documents first; raises Invalid for a cursor that is none."""
    query = _visible(caller).order_by(documents.c.created_at.desc(), documents.c.document_id.desc())
    if statuses:
        query = query.where(_shown_status(statuses))
    if file_types:
        query = query.where(or_(*(matches_file_type(wanted) for wanted in file_types)))
    if cursor:
        query = query.where(tuple_(documents.c.created_at, documents.c.document_id) < _decode(cursor))
    async with snapshot(engine) as connection:
        items = [document_view(row) for row in await connection.execute(query.limit(limit + 1))]
        position = await read_position(connection)
    more = _encode(items[limit - 1]) if len(items) > limit else None
    return DocumentPage(items=items[:limit], next_cursor=more, position=str(position))


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


def _shown_status(statuses: Sequence[Status]) -> ColumnElement[bool]:
    """Return the condition that a document has one of these statuses, as ``document_view`` shows it."""
    has_begun = documents.c.status_attempt < documents.c.attempt
    shown = documents.c.status.in_([status.value for status in statuses]) & ~has_begun
    return shown | has_begun if Status.PARSING_STARTED in statuses else shown


def _encode(item: DocumentView) -> str:
    text = f"{item.created_at.isoformat()} {item.document_id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(cursor: str) -> tuple[datetime, str]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        created_at, document_id = text.split(" ", 1)
        return _CURSOR.validate_python((created_at, document_id))
    except ValueError as error:
        errors = [{"field": "cursor", "message": "unknown"}]
        raise Invalid("The cursor is none of ours.", errors=errors) from error
