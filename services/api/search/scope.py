"""The documents that a search may show, and about how many chunks they have."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, any_, bindparam, func, or_, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from services.api.access.caller import Caller, visible_to
from services.api.documents.file_types import matches_file_type
from services.runtime.database.tables import IS_ALIVE, documents

FEW_CHUNKS = 10_000
"""Of so many, distances are exact: 14 ms for 5,000. An index is quicker for more, and may miss some."""
FEW_DOCUMENTS = 2_000
"""So many are counted at most; the chunks of more are many."""
SHAPES = 128
"""Of so many shapes of scopes statements are kept; file types that nobody has thought of are more."""

_ALL_ROWS = text("SELECT greatest(reltuples, 0) FROM pg_class WHERE oid = CAST('embeddings' AS regclass)")


@dataclass(frozen=True)
class ScopeShape:
    """What conditions a scope has, whoever asks and for whichever documents: statements are made once for each.

    To make one takes the API two milliseconds, and to ask it one.
    """

    sees_all: bool
    has_document_ids: bool
    file_types: tuple[str, ...] | None

    @cached_property
    def conditions(self) -> tuple[ColumnElement[bool], ...]:
        """The conditions on documents, with the parameters ``owner_id`` and ``document_ids``."""
        wishes: list[ColumnElement[bool]] = []
        if not self.sees_all:
            wishes.append(visible_to(bindparam("owner_id", type_=Text)))
        if self.has_document_ids:
            wishes.append(documents.c.document_id == any_(bindparam("document_ids", type_=ARRAY(Text))))
        if self.file_types is not None:
            wishes.append(or_(*(matches_file_type(wanted) for wanted in self.file_types)))
        return (IS_ALIVE, documents.c.visible_attempt.is_not(None), *wishes)


@dataclass(frozen=True)
class Scope:
    """What the caller may see, of these documents and of these types; None is no such wish."""

    caller: Caller
    document_ids: list[str] | None = None
    file_types: list[str] | None = None

    @cached_property
    def shape(self) -> ScopeShape:
        """By which statements are made."""
        types = None if self.file_types is None else tuple(self.file_types)
        return ScopeShape(self.caller.sees_all, self.document_ids is not None, types)

    @property
    def values(self) -> dict[str, object]:
        """The values of the parameters of ``shape.conditions``."""
        values: dict[str, object] = {}
        if not self.caller.sees_all:
            values["owner_id"] = self.caller.owner_id
        if self.document_ids is not None:
            values["document_ids"] = self.document_ids
        return values

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
        counted = await connection.execute(_counted(self.shape), self.values)
        document_count, chunk_count = counted.one()
        return bool(document_count <= FEW_DOCUMENTS and chunk_count <= FEW_CHUNKS)


@lru_cache(SHAPES)
def _counted(shape: ScopeShape) -> Select[Any]:
    some = select(documents.c.chunk_count).where(*shape.conditions).limit(FEW_DOCUMENTS + 1).subquery()
    return select(func.count(), func.coalesce(func.sum(some.c.chunk_count), 0)).select_from(some)
