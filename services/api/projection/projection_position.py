"""The position that the documents table has reached in the log: one row, and the lock of those who project."""

from sqlalchemy import bindparam, select, update
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
