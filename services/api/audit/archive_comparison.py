"""Compares the archive with the log: each entry that a span covers, byte by byte."""

from collections.abc import AsyncIterator, Sequence

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.api.archive.spans import read_spans
from services.api.log.entry import Entry
from services.api.projection.projection_position import read_log_base
from services.api.stream.sse import encode_entry
from services.runtime.database.engine import snapshot
from services.runtime.database.log_tables import log_entries

AT_ONCE = 5000

_READ = select(log_entries.c.place, log_entries.c.tag, log_entries.c.frame).where(
    log_entries.c.place.between(bindparam("first"), bindparam("last"))
)


async def differences(engine: AsyncEngine, entries: Sequence[Entry]) -> AsyncIterator[tuple[str, str]]:
    """Return the position of each entry that the archive has otherwise, with what is wrong."""
    async with snapshot(engine) as connection:
        base = await read_log_base(connection)
        spans = await read_spans(connection, base)
        for start in range(0, len(entries), AT_ONCE):
            kept = await _rows(connection, base, entries[start : start + AT_ONCE])
            for entry in entries[start : start + AT_ONCE]:
                place = base + entry.offset
                if any(span.first <= place <= span.reached for span in spans):
                    found = kept.get(place)
                    if found is None:
                        yield str(entry.position), "not in the archive"
                    elif found != (entry.position.tag, entry.encoded(encode_entry)):
                        yield str(entry.position), "the archive has another event"


async def _rows(
    connection: AsyncConnection, base: int, entries: Sequence[Entry]
) -> dict[int, tuple[str, bytes]]:
    bounds = {"first": base + entries[0].offset, "last": base + entries[-1].offset}
    return {row.place: (row.tag, row.frame) for row in await connection.execute(_READ, bounds)}
