"""The documents that a search may show, and about how many chunks they have."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.api.access.caller import Caller
from services.api.documents.file_types import matches_file_type
from services.runtime.database.tables import IS_ALIVE, documents

FEW_CHUNKS = 10_000
"""Of so many, distances are exact: 14 ms for 5,000. An index is quicker for more, and may miss some."""
FEW_DOCUMENTS = 2_000
"""So many are counted at most; the chunks of more are many."""

_ALL_ROWS = text("SELECT greatest(reltuples, 0) FROM pg_class WHERE oid = CAST('embeddings' AS regclass)")


@dataclass(frozen=True)
class Scope:
    """What the caller may see, of these documents and of these types; None is no such wish."""

    caller: Caller
    document_ids: list[str] | None = None
    file_types: list[str] | None = None

    @property
    def conditions(self) -> tuple[ColumnElement[bool], ...]:
        """The conditions on documents."""
        wishes: list[ColumnElement[bool]] = []
        if self.document_ids is not None:
            wishes.append(documents.c.document_id.in_(self.document_ids))
        if self.file_types is not None:
            wishes.append(or_(*(matches_file_type(wanted) for wanted in self.file_types)))
        return (IS_ALIVE, documents.c.visible_attempt.is_not(None), self.caller.visible(), *wishes)

    @property
    def is_total(self) -> bool:
        """True where every document may be shown."""
        return self.caller.sees_all and self.document_ids is None and self.file_types is None

    async def has_few_chunks(self, connection: AsyncConnection) -> bool:
        """Return whether the chunks that may be shown are few, as far as that can be told quickly.

        Of all documents the planner's estimate tells it. The counts of some are the projection's, which may lag: a
        wrong answer costs time, and no hits.
        """
        if self.is_total:
            return bool(await connection.scalar(_ALL_ROWS) <= FEW_CHUNKS)
        some = select(documents.c.chunk_count).where(*self.conditions).limit(FEW_DOCUMENTS + 1).subquery()
        counted = select(func.count(), func.coalesce(func.sum(some.c.chunk_count), 0)).select_from(some)
        document_count, chunk_count = (await connection.execute(counted)).one()
        return bool(document_count <= FEW_DOCUMENTS and chunk_count <= FEW_CHUNKS)
