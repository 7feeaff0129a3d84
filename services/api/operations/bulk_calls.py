"""Takes bulk calls: notes which documents are meant, and answers."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils import uuid7

from contracts.document_calls import OperationKind
from services.api.access.caller import Caller
from services.api.documents.document_filter import DocumentFilter
from services.api.operations.operation import Operation, OperationView
from services.api.operations.operation_statements import insert_operation
from services.api.refusals import Invalid, NotFound
from services.runtime.database.operation_tables import operations
from services.runtime.database.tables import IS_ALIVE, IS_UPLOADED, documents
from services.runtime.process.disk_reserve import DiskReserve

_MEANT: dict[OperationKind, list[ColumnElement[bool]]] = {
    OperationKind.CANCEL: [IS_UPLOADED, documents.c.outcome.is_(None)],
    OperationKind.RETRY: [IS_UPLOADED, documents.c.outcome_published_at.is_not(None)],
    OperationKind.DELETE: [],
}
"""Of what the filter chooses, the documents that the call is for: others would be refused one by one."""


class NoSuchOperation(NotFound):
    """No such operation, or another owner's."""

    detail = "There is no such operation."


@dataclass(frozen=True)
class BulkCalls:
    """Counts and begins operations, and tells of them."""

    engine: AsyncEngine
    disk: DiskReserve

    async def count(self, caller: Caller, kind: OperationKind, chosen: DocumentFilter) -> int:
        """Count the documents that a call would be for; raises Invalid, Forbidden."""
        query = select(func.count()).select_from(documents).where(*_conditions(caller, kind, chosen))
        async with self.engine.connect() as connection:
            return await connection.scalar(query) or 0

    async def begin(self, caller: Caller, kind: OperationKind, chosen: DocumentFilter) -> tuple[str, int]:
        """Note an operation and what it is for; return its id and how many documents that are.

        Documents that come later are not touched. Raises Invalid, Forbidden, NoRoom.
        """
        conditions = _conditions(caller, kind, chosen)
        if kind is OperationKind.RETRY:
            self.disk.require()
        operation = Operation(str(uuid7()), kind, caller.owner_id)
        asked = chosen.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        async with self.engine.begin() as connection:
            matched = await insert_operation(connection, operation, asked, conditions)
        return operation.operation_id, matched

    async def read(self, caller: Caller, operation_id: str) -> OperationView:
        """Return an operation of the caller, or any one to who sees all; raises NoSuchOperation."""
        query = select(operations).where(operations.c.operation_id == operation_id)
        async with self.engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None or not (caller.sees_all or row.owner_id == caller.owner_id):
            raise NoSuchOperation
        return OperationView(**row._mapping, ended=row.ended_at is not None)


def _conditions(caller: Caller, kind: OperationKind, chosen: DocumentFilter) -> Sequence[ColumnElement[bool]]:
    if chosen.is_empty:
        errors = [{"field": "body.filter", "message": "has to choose by something"}]
        raise Invalid("An empty filter would choose every document.", errors=errors)
    return [IS_ALIVE, or_(*chosen.owned(caller)), *chosen.conditions(), *_MEANT[kind]]
