"""The owner of a document: also before its first report is in the documents table, and after it was deleted.

An event without an owner reaches everybody, so what a producer leaves out must not depend on how far the
projector has come.
"""

from datetime import timedelta

from sqlalchemy import Delete, delete, func, select
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncEngine

from services.runtime.database.tables import document_owners, documents

NOTES_KEPT = timedelta(days=30)
"""Of documents that are not there; longer than the log keeps their events."""


async def find_owner(engine: AsyncEngine, document_id: str) -> str | None:
    """Find the owner of a document, as far as one is known."""
    of_document = select(documents.c.owner_id).where(documents.c.document_id == document_id)
    noted = select(document_owners.c.owner_id).where(document_owners.c.document_id == document_id)
    async with engine.connect() as connection:
        owner_id: str | None = await connection.scalar(
            select(func.coalesce(of_document.scalar_subquery(), noted.scalar_subquery()))
        )
    return owner_id


async def note_owner(engine: AsyncEngine, document_id: str, owner_id: str) -> str:
    """Note an owner, and return the one who was noted first: of two who come at once both get the same."""
    noted = select(document_owners.c.owner_id).where(document_owners.c.document_id == document_id)
    async with engine.begin() as connection:
        await connection.execute(note(document_id, owner_id))
        first: str = (await connection.execute(noted)).scalar_one()
    return first


def note(document_id: str, owner_id: str) -> Insert:
    """The statement that notes an owner unless one is noted."""
    return insert(document_owners).values(document_id=document_id, owner_id=owner_id).on_conflict_do_nothing()


def forget_old_notes() -> Delete:
    """The statement that forgets the owners of documents that were deleted long ago."""
    exists = select(documents.c.document_id).where(documents.c.document_id == document_owners.c.document_id)
    return delete(document_owners).where(
        document_owners.c.noted_at < func.now() - NOTES_KEPT, ~exists.exists()
    )
