"""Writes entries of the log into the archive, as they go out to browsers."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.events import StatusEvent
from services.api.archive.partitions import make_partitions
from services.api.archive.spans import Span, begin_span, extend_span
from services.api.log.entry import Entry
from services.api.log.position import Position
from services.api.projection.reducer import storable
from services.api.stream.sse import encode_entry

# One statement with arrays: rows one by one cost six times as much.
_KEEP = text("""
INSERT INTO log_entries (place, tag, document_id, owner_id, status, source, file_type, filename, frame)
SELECT * FROM unnest(
  CAST(:place AS bigint[]), CAST(:tag AS text[]), CAST(:document_id AS text[]), CAST(:owner_id AS text[]),
  CAST(:status AS text[]), CAST(:source AS text[]), CAST(:file_type AS text[]), CAST(:filename AS text[]),
  CAST(:frame AS bytea[])
) ON CONFLICT DO NOTHING
""")
_COLUMNS = ("place", "tag", "document_id", "owner_id", "status", "source", "file_type", "filename", "frame")


async def keep_projected(
    connection: AsyncConnection, base: int, since: Position, reached: Position, entries: Sequence[Entry]
) -> None:
    """Write what leads from ``since`` to ``reached``, in the transaction that moves the projection there."""
    await keep_entries(connection, base, entries)
    if await extend_span(connection, base, since, reached):
        return
    is_beginning = since == Position.start()
    first = entries[0].offset if is_beginning and entries else since.offset + 1
    await begin_span(connection, Span(base + first, base + reached.offset, reached.tag, is_beginning))


async def keep_entries(connection: AsyncConnection, base: int, entries: Sequence[Entry]) -> None:
    """Write entries of the log whose places begin at ``base``; those that are there already stay."""
    if not entries:
        return
    await make_partitions(connection, base + entries[0].offset, base + entries[-1].offset)
    rows = [_row(base, entry) for entry in entries]
    await connection.execute(_KEEP, dict(zip(_COLUMNS, map(list, zip(*rows, strict=True)), strict=True)))


def _row(base: int, entry: Entry) -> tuple[object, ...]:
    place, tag, event = base + entry.offset, entry.position.tag, entry.event
    if event is None:
        return (place, tag, None, None, None, None, None, None, b"")
    frame = entry.encoded(encode_entry)
    if not isinstance(event, StatusEvent):  # a deletion, or an operation, which is of no document
        return (place, tag, event.document_id, event.owner_id, event.type, None, None, None, frame)
    source, file_type = storable(event.source), _text(event.metadata.get("fileType"))
    filename = _text(event.metadata.get("filename"))
    return (
        place,
        tag,
        event.document_id,
        event.owner_id,
        event.status.value,
        source,
        file_type,
        filename,
        frame,
    )


def _text(value: object) -> str | None:
    return storable(value) if isinstance(value, str) else None
