"""The position that the documents table has reached in the log: one row, and the lock of those who project."""

from datetime import datetime

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.api.log.position import Position
from services.runtime.database.tables import projections

NAME = "documents"

_READ = select(projections.c.position).where(projections.c.name == NAME)
_MAKE = insert(projections).values(name=NAME, position=str(Position.start())).on_conflict_do_nothing()
_MOVE = (
    update(projections)
    .where(projections.c.name == NAME, projections.c.position == bindparam("expected"))
    .values(position=bindparam("reached"))
    .returning(projections.c.log_base)
)
_LOCK = (
    select(projections.c.position, projections.c.log_base).where(projections.c.name == NAME).with_for_update()
)
_READ_BASE = select(projections.c.log_base).where(projections.c.name == NAME)
_BEGIN = (
    update(projections)
    .where(projections.c.name == NAME, projections.c.position == bindparam("expected"))
    .values(position=str(Position.start()), log_began_at=func.now(), log_base=bindparam("base"))
)
_READ_BEGIN = select(projections.c.log_began_at).where(projections.c.name == NAME)


async def read_position(connection: AsyncConnection) -> Position:
    """Return the newest position whose events are in the documents table."""
    text = await connection.scalar(_READ)
    return (Position.parse(text) if text else None) or Position.start()


async def move_position(connection: AsyncConnection, expected: Position, reached: Position) -> int | None:
    """Move from ``expected`` to ``reached`` and return the log's base; None where it is elsewhere and stays.

    Whoever has moved it holds it until the transaction ends; others wait here, and then find it moved. That it
    is where they wanted it does not mean that they moved it: another replica may have applied the same batch.
    """
    base: int | None = await connection.scalar(_MOVE, {"expected": str(expected), "reached": str(reached)})
    if base is None:
        await connection.execute(_MAKE)  # the first time; after that there is always one
    return base


async def lock_position(connection: AsyncConnection) -> tuple[Position, int] | None:
    """Return the position and the log's base, and hold both; None before anything was projected."""
    row = (await connection.execute(_LOCK)).one_or_none()
    return (Position.parse(row.position) or Position.start(), row.log_base) if row else None


async def read_log_base(connection: AsyncConnection) -> int:
    """Return the place of the log's offset 0, were it kept."""
    return await connection.scalar(_READ_BASE) or 0


async def begin_log(connection: AsyncConnection, expected: Position, base: int) -> bool:
    """Move from ``expected``, which is of a log that is lost, to the start of another one, and note the moment.

    ``base`` is where the other one's places begin.

    False, and nothing is noted, where another replica has done it.
    """
    begun = await connection.execute(_BEGIN, {"expected": str(expected), "base": base})
    return bool(begun.rowcount)


async def read_log_beginning(connection: AsyncConnection) -> datetime | None:
    """Return when the log was found to be another one than before; None if that never happened."""
    moment: datetime | None = await connection.scalar(_READ_BEGIN)
    return moment
