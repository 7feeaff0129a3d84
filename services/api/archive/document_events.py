"""The status events of one document as the log keeps them, and also those of a log that was lost."""

from collections.abc import Sequence

from pydantic import ConfigDict
from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from contracts.events import DocumentDeleted, StatusEvent
from contracts.wire import WireModel
from services.api.access.caller import Caller, visible_to
from services.api.archive.spans import read_spans
from services.api.documents.catalog import NoSuchDocument
from services.api.projection.projection_position import read_log_base
from services.runtime.database.engine import snapshot
from services.runtime.database.log_tables import log_entries
from services.runtime.database.tables import IS_ALIVE, documents

_DATA = b"\ndata: "


class EventPage(WireModel):
    """Status events, oldest first."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    items: Sequence[StatusEvent]
    next_cursor: str | None = None


async def list_events(
    engine: AsyncEngine, caller: Caller, document_id: str, *, limit: int, after: int
) -> EventPage:
    """Return the events behind the place ``after``; raises NoSuchDocument."""
    exists = select(documents.c.document_id).where(
        documents.c.document_id == document_id, IS_ALIVE, caller.visible()
    )
    async with snapshot(engine) as connection:
        if await connection.scalar(exists) is None:
            raise NoSuchDocument
        columns = log_entries.c
        query = (
            select(columns.place, columns.frame)
            .where(columns.document_id == document_id, columns.place > bindparam("after"))
            .where(columns.status != DocumentDeleted.type)
            .order_by(columns.place)
            .limit(limit + 1)
        )
        if not caller.sees_all:
            query = query.where(visible_to(caller.owner_id, columns.owner_id))
        base, kept = await _kept(connection)
        query = query.where((columns.place < base) | (columns.place >= kept))
        rows = (await connection.execute(query, {"after": after})).all()
    items = [StatusEvent.decode(row.frame.partition(_DATA)[2]) for row in rows[:limit]]
    return EventPage(items=items, next_cursor=str(rows[limit - 1].place) if len(rows) > limit else None)


async def _kept(connection: AsyncConnection) -> tuple[int, int]:
    """Return where the log's places begin, and which of them is the first that it still keeps."""
    base = await read_log_base(connection)
    spans = await read_spans(connection, base)
    return base, spans[0].first if spans and spans[0].is_from_beginning else base
