"""Which stretches of the log the archive has without a gap.

A **place** is a number that grows over all logs that ever were: the offset of an entry and the base of its log,
which begins behind everything that the log before it had.
"""

from dataclasses import dataclass

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.api.archive.partitions import next_base
from services.api.log.position import Position
from services.runtime.database.log_tables import log_spans
from services.runtime.database.tables import projections

_OF_LOG = select(log_spans).where(log_spans.c.first >= bindparam("base")).order_by(log_spans.c.first)
_EXTEND = (
    update(log_spans)
    .where(log_spans.c.reached == bindparam("at"), log_spans.c.reached_tag == bindparam("tag"))
    .values(reached=bindparam("to"), reached_tag=bindparam("to_tag"))
)
_BEGIN = insert(log_spans).on_conflict_do_nothing()
_ENDS = select(
    select(func.max(log_spans.c.reached)).scalar_subquery(),
    select(func.max(projections.c.log_base)).scalar_subquery(),
)
_REMOVE = delete(log_spans).where(log_spans.c.first == bindparam("begin"))


@dataclass(frozen=True, slots=True)
class Span:
    """The archive has every entry from place ``first`` to place ``reached``.

    ``is_from_beginning`` where the log keeps nothing that is older.
    """

    first: int
    reached: int
    reached_tag: str
    is_from_beginning: bool

    def end(self, base: int) -> Position:
        """Return the position of its last entry."""
        return Position(self.reached - base, self.reached_tag)


async def next_log_base(connection: AsyncConnection) -> int:
    """Return where the places of another log begin: in a partition of its own, behind all that there is."""
    reached, base = (await connection.execute(_ENDS)).one()
    return next_base(max(reached or 0, base or 0))


async def read_spans(connection: AsyncConnection, base: int) -> list[Span]:
    """Return the spans of the log whose places begin at ``base``, in order."""
    return [Span(*row) for row in await connection.execute(_OF_LOG, {"base": base})]


async def extend_span(connection: AsyncConnection, base: int, since: Position, reached: Position) -> bool:
    """Move the end of the span that ends at ``since``; False where there is none."""
    extended = await connection.execute(
        _EXTEND,
        {"at": base + since.offset, "tag": since.tag, "to": base + reached.offset, "to_tag": reached.tag},
    )
    return bool(extended.rowcount)


async def begin_span(connection: AsyncConnection, span: Span) -> None:
    """Note a span; nothing changes where one begins at the same place."""
    values = {name: getattr(span, name) for name in Span.__dataclass_fields__}
    await connection.execute(_BEGIN, values)


async def remove_span(connection: AsyncConnection, span: Span) -> None:
    """Remove a span, which is part of another one or no longer kept."""
    await connection.execute(_REMOVE, {"begin": span.first})
