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
)
_BEGIN = (
    update(projections)
    .where(projections.c.name == NAME, projections.c.position == bindparam("expected"))
    .values(position=str(Position.start()), log_began_at=func.now())
)
_READ_BEGIN = select(projections.c.log_began_at).where(projections.c.name == NAME)


async def read_position(connection: AsyncConnection) -> Position:
    """Return the newest position whose events are in the documents table."""
    text = await connection.scalar(_READ)
    return (Position.parse(text) if text else None) or Position.start()


async def move_position(connection: AsyncConnection, expected: Position, reached: Position) -> bool:
    """Move from ``expected`` to ``reached``; False, and nothing is moved, where it is elsewhere.

    Whoever has moved it holds it until the transaction ends; others wait here, and then find it moved. That it
    is where they wanted it does not mean that they moved it: another replica may have applied the same batch.
    """
    moved = await connection.execute(_MOVE, {"expected": str(expected), "reached": str(reached)})
    if not moved.rowcount:
        await connection.execute(_MAKE)  # the first time; after that there is always one
    return bool(moved.rowcount)


async def begin_log(connection: AsyncConnection, expected: Position) -> bool:
    """Move from ``expected``, which is of a log that is lost, to the start of another one, and note the moment.

    False, and nothing is noted, where another replica has done it.
    """
    return bool((await connection.execute(_BEGIN, {"expected": str(expected)})).rowcount)


async def read_log_beginning(connection: AsyncConnection) -> datetime | None:
    """Return when the log was found to be another one than before; None if that never happened."""
    moment: datetime | None = await connection.scalar(_READ_BEGIN)
    return moment
