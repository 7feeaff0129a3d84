"""Finds the chunks in which all words of a query stand in a row: who quotes a sentence wants where it stands.

So does who gives a part number and nothing else: to a model its neighbours in a catalogue are as near, or nearer.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Text, and_, bindparam, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.api.search.parameters import LIMIT
from services.api.search.scope import SHAPES, Scope, ScopeShape
from services.runtime.database.tables import chunks, documents
from services.search_terms.identifiers import is_identifier

LEAST_WORDS = 4
"""Fewer in a row are a name or a turn of phrase, which many chunks have."""

_SIMPLE: ColumnElement[str] = literal_column("'simple'")


async def quotations(connection: AsyncConnection, scope: Scope, query: str, limit: int) -> Sequence[Row[Any]]:
    """Return up to ``limit`` chunks of the scope that quote the query: document, attempt and index of each."""
    if len(query.split()) < LEAST_WORDS and not is_identifier(query):
        return []
    found = await connection.execute(_quoting(scope.shape), {**scope.values, "query": query, "limit": limit})
    rows: Sequence[Row[Any]] = found.all()
    return rows


@lru_cache(SHAPES)
def _quoting(shape: ScopeShape) -> Select[Any]:
    asked = func.phraseto_tsquery(_SIMPLE, bindparam("query", type_=Text))
    in_a_row = func.to_tsvector(_SIMPLE, chunks.c.text).op("@@")(asked)
    key = (chunks.c.document_id, chunks.c.attempt, chunks.c.index.label("chunk_index"))
    # Materialised, so that the index on words is read first, and not the chunks of every document.
    quoting = select(*key).where(in_a_row).cte("quoting").prefix_with("MATERIALIZED")
    is_shown = and_(
        documents.c.document_id == quoting.c.document_id, documents.c.visible_attempt == quoting.c.attempt
    )
    return select(quoting).join(documents, is_shown).where(*shape.conditions).limit(LIMIT)
