"""Makes the passages of documents that have none, or have them with terms of an older release."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.lifecycle.attempt_statements import replace_passages
from services.runtime.database.tables import attempts, chunks, documents
from services.search_terms.indexing import indexed
from services.search_terms.passages import names_of_document
from services.search_terms.terms import VERSION

# One of some hundred, so that several replicas seldom take the same; of all of them would be all to read each time.
_SOME = (
    select(attempts.c.document_id, attempts.c.attempt, attempts.c.details["title"].label("title"))
    .where(attempts.c.terms_version < bindparam("version"))
    .limit(200)
    .subquery("some")
)
_OUTDATED = (
    select(_SOME, documents.c.filename, documents.c.owner_id)
    .join(documents, documents.c.document_id == _SOME.c.document_id)
    .order_by(func.random())
    .limit(1)
)


@dataclass(frozen=True)
class _Text:
    """What passages need of a chunk."""

    index: int
    text: str
    token_count: int
    headings: Sequence[str]


async def update_outdated_terms(engine: AsyncEngine) -> bool:
    """Count the words of one document that is found by older terms, or by none; False where there is none."""
    async with engine.connect() as connection:
        row = (await connection.execute(_OUTDATED, {"version": VERSION})).one_or_none()
        texts = [] if row is None else await _read_texts(connection, row.document_id, row.attempt)
    if row is None:
        return False
    names = names_of_document(row.title, row.filename)
    terms = await asyncio.to_thread(indexed, texts, names, row.owner_id)
    async with engine.begin() as connection:
        await replace_passages(connection, row.document_id, row.attempt, terms)
    return True


async def _read_texts(connection: AsyncConnection, document_id: str, attempt: int) -> list[_Text]:
    query = (
        select(chunks.c.index, chunks.c.text, chunks.c.token_count, chunks.c.headings)
        .where(chunks.c.document_id == document_id, chunks.c.attempt == attempt)
        .order_by(chunks.c.index)
    )
    return [_Text(*chunk) for chunk in await connection.execute(query)]
