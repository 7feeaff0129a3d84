"""The rows of documents as the projector reads and writes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.statuses import Status
from services.api.projection.reducer import DocumentState, storable
from services.lifecycle.document_statements import (
    PROJECTED,
    project_reported,
    project_uploaded,
    remove_reported,
)
from services.runtime.database.tables import IS_UPLOADED, documents

# Made once: making a statement costs more than sending it.
_READ = select(
    documents.c.document_id,
    IS_UPLOADED,
    documents.c.attempt,
    *(documents.c[name] for name in DocumentState.__dataclass_fields__),
).where(documents.c.document_id.in_(bindparam("ids", expanding=True)))


@dataclass(frozen=True, slots=True)
class Row:
    """A document's state, whether it was uploaded here or only ever reported on, and its newest attempt."""

    state: DocumentState
    is_uploaded: bool
    attempt: int


async def read_rows(connection: AsyncConnection, document_ids: Sequence[str]) -> dict[str, Row]:
    """Read the rows that there are, by document id."""
    if not document_ids:
        return {}
    found = await connection.execute(_READ, {"ids": document_ids})
    return {
        document_id: Row(DocumentState(Status(status), *rest), is_uploaded, attempt)
        for document_id, is_uploaded, attempt, status, *rest in found
    }


async def write_rows(
    connection: AsyncConnection, before: Mapping[str, Row], after: Mapping[str, DocumentState]
) -> None:
    """Bring the rows from ``before`` to ``after``: what is no longer there is deleted unless it was uploaded."""
    changed = {
        key: after[key] for key in sorted(after) if key not in before or before[key].state != after[key]
    }
    uploaded = [key for key in changed if key in before and before[key].is_uploaded]
    reported = [key for key in changed if key not in before or not before[key].is_uploaded]
    removed = [key for key, row in before.items() if key not in after and not row.is_uploaded]
    # One by one: psycopg sends many at once as a pipeline, and one that is cancelled raises anything but that.
    for key in uploaded:
        await project_uploaded(connection, key, _columns(changed[key]))
    for key in reported:
        await project_reported(connection, _reported(key, changed[key]))
    if removed:
        await remove_reported(connection, removed)


def _columns(state: DocumentState) -> dict[str, object]:
    return {name: getattr(state, name) for name in PROJECTED}


def _reported(document_id: str, state: DocumentState) -> dict[str, object]:
    """The row of a document that only an external producer knows: everything in it comes from its events."""
    event = state.event or {}
    metadata = event.get("metadata")
    named = metadata if isinstance(metadata, dict) else {}
    return {
        "document_id": document_id,
        "created_at": state.updated_at,
        "attempted_at": state.updated_at,
        "owner_id": event.get("ownerId"),
        "filename": _text(named.get("filename")),
        "file_type": _text(named.get("fileType")),
        "attempt": state.status_attempt,
        **_columns(state),
    }


def _text(value: object) -> str | None:
    return storable(value) if isinstance(value, str) else None
