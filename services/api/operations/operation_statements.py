"""Every write of ``operations`` and ``operation_items``. Each may be repeated, also by two replicas at once."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, bindparam, func, insert, literal, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.document_calls import OperationKind
from services.api.operations.operation import Item, Operation
from services.runtime.database.operation_tables import operation_items, operations
from services.runtime.database.tables import IS_ALIVE, documents

LEASE_SECONDS = 10.0
"""An operation is left to whoever has begun a step of it for so long; then another replica goes on."""
KEPT_DAYS = 30

_COUNT_CHOSEN = text("""
UPDATE operations SET matched = (
  SELECT count(*) FROM operation_items item WHERE item.operation_id = operations.operation_id
) WHERE operation_id = :operation_id RETURNING matched
""")
# One that is leased for longer than anybody leases counts as free: a clock was set back.
_TAKE = text("""
UPDATE operations SET leased_by = :replica, leased_until = now() + make_interval(secs => :lease), stepped_at = now()
WHERE operation_id = (
  SELECT operation_id FROM operations WHERE ended_at IS NULL AND (leased_by IS NULL OR leased_by = :replica
    OR leased_until < now() OR leased_until > now() + 2 * make_interval(secs => :lease))
  ORDER BY stepped_at NULLS FIRST, operation_id LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING operation_id, kind, owner_id
""")
_READ_ITEMS = (
    select(operation_items.c.number, operation_items.c.document_id, operation_items.c.attempt)
    .where(operation_items.c.operation_id == bindparam("operation_id"), ~operation_items.c.begun)
    .order_by(operation_items.c.number)
    .limit(bindparam("count"))
)
# Which of them had been counted before is told by the rows: of two that count the same, one finds them gone.
_REMOVE_ITEMS = text("""
DELETE FROM operation_items
WHERE operation_id = :operation_id AND NOT begun AND number = ANY(CAST(:numbers AS bigint[]))
""")
_BEGIN_ITEMS = text("""
UPDATE operation_items SET begun = true
WHERE operation_id = :operation_id AND NOT begun AND number = ANY(CAST(:numbers AS bigint[]))
""")
_FORGET_ENDED = text(f"""
DELETE FROM operation_items item WHERE begun AND NOT EXISTS (
  SELECT FROM documents WHERE documents.document_id = item.document_id AND {IS_ALIVE}
    AND documents.attempt = item.attempt + 1 AND documents.outcome_published_at IS NULL
)
""")  # noqa: S608 - of constants
_COUNT_BEGUN = select(func.count()).where(operation_items.c.begun)
_COUNT_DONE = text("""
UPDATE operations SET done = done + :count, leased_until = now() + make_interval(secs => :lease),
  ended_at = CASE WHEN EXISTS (
    SELECT FROM operation_items left_over WHERE left_over.operation_id = :operation_id AND NOT left_over.begun
  ) THEN NULL ELSE now() END
WHERE operation_id = :operation_id AND ended_at IS NULL
RETURNING done, matched, ended_at
""")
_REMOVE_REST = text("DELETE FROM operation_items WHERE operation_id = :operation_id")
_FORGET = text("DELETE FROM operations WHERE ended_at < now() - make_interval(days => :days)")


class Progress(NamedTuple):
    """The progress of an operation."""

    done: int
    matched: int
    ended_at: datetime | None


async def insert_operation(
    connection: AsyncConnection,
    operation: Operation,
    asked: dict[str, object],
    conditions: Sequence[ColumnElement[bool]],
) -> int:
    """Note an operation and the documents that are chosen at this moment, oldest first; return their number."""
    await connection.execute(
        insert(operations).values(
            operation_id=operation.operation_id,
            kind=operation.kind.value,
            owner_id=operation.owner_id,
            filter=asked,
        )
    )
    number = func.row_number().over(order_by=(documents.c.created_at, documents.c.document_id))
    chosen = select(
        literal(operation.operation_id), number, documents.c.document_id, documents.c.attempt
    ).where(*conditions)
    names = ["operation_id", "number", "document_id", "attempt"]
    await connection.execute(insert(operation_items).from_select(names, chosen))
    return int(await connection.scalar(_COUNT_CHOSEN, {"operation_id": operation.operation_id}) or 0)


async def take_operation(connection: AsyncConnection, replica: str) -> Operation | None:
    """Lease the operation whose turn it is; None where there is nothing to do, or others do it."""
    values = {"replica": replica, "lease": LEASE_SECONDS}
    row = (await connection.execute(_TAKE, values)).one_or_none()
    return None if row is None else Operation(row.operation_id, OperationKind(row.kind), row.owner_id)


async def read_items(connection: AsyncConnection, operation: Operation, count: int) -> list[Item]:
    """Read the next documents that are to be dealt with."""
    values = {"operation_id": operation.operation_id, "count": count}
    return [Item(*row) for row in await connection.execute(_READ_ITEMS, values)]


async def count_unfinished(connection: AsyncConnection) -> int:
    """Count the documents that operations have begun again and that have not ended; forget those that have."""
    await connection.execute(_FORGET_ENDED)
    count: int = await connection.scalar(_COUNT_BEGUN) or 0
    return count


async def count_done(
    connection: AsyncConnection, operation: Operation, numbers: Sequence[int], *, are_begun: bool
) -> Progress | None:
    """Count documents as dealt with, each once; None where another replica has ended the operation.

    Those that ``are_begun`` are remembered until they have ended.
    """
    values = {"operation_id": operation.operation_id, "numbers": list(numbers), "lease": LEASE_SECONDS}
    counted = await connection.execute(_BEGIN_ITEMS if are_begun else _REMOVE_ITEMS, values)
    row = (await connection.execute(_COUNT_DONE, {**values, "count": counted.rowcount})).one_or_none()
    if row is not None and row.ended_at is not None:
        await connection.execute(_REMOVE_REST, values)
    return None if row is None else Progress(*row)


async def forget_operations(connection: AsyncConnection) -> None:
    """Forget operations that ended long ago."""
    await connection.execute(_FORGET, {"days": KEPT_DAYS})
