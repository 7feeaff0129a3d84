"""The order of a list, and the cursor from which its next page goes on.

A cursor is the place of the page's last document, and no number of documents: what comes, goes or moves before it
shifts nothing.
"""

import base64
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints, TypeAdapter
from sqlalchemy import ColumnElement, tuple_

from contracts.document_calls import Sort
from contracts.wire import DocumentId, Timestamp
from services.api.refusals import Invalid
from services.runtime.database.listed_columns import LISTED_NAME, LISTED_SIZE, SHOWN_UPDATED
from services.runtime.database.tables import documents

_Name = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00]*$")]
_Size = Annotated[int, Field(ge=-1, lt=2**63)]


@dataclass(frozen=True)
class _Key:
    column: ColumnElement[Any]
    place: TypeAdapter[tuple[Any, str]]
    """The value of a document, and its id."""


_KEYS = {
    "createdAt": _Key(documents.c.created_at, TypeAdapter(tuple[Timestamp, DocumentId])),
    "updatedAt": _Key(SHOWN_UPDATED, TypeAdapter(tuple[Timestamp, DocumentId])),
    "filename": _Key(LISTED_NAME, TypeAdapter(tuple[_Name, DocumentId])),
    "size": _Key(LISTED_SIZE, TypeAdapter(tuple[_Size, DocumentId])),
}


def sort_column(sort: Sort) -> ColumnElement[Any]:
    """What documents are sorted by; those that are alike in it by their ids."""
    return _KEYS[sort.removeprefix("-")].column


def is_descending(sort: Sort) -> bool:
    """Return whether the largest comes first."""
    return sort.startswith("-")


def after_cursor(sort: Sort, cursor: str) -> ColumnElement[bool]:
    """Return the condition that documents come after a cursor of this order; raises Invalid for any other."""
    place = tuple_(sort_column(sort), documents.c.document_id)
    values = _decode(sort, cursor)
    return place < values if is_descending(sort) else place > values


def encode_cursor(sort: Sort, value: Any, document_id: str) -> str:
    """Write the place of a document in this order."""
    shown = value.isoformat() if isinstance(value, datetime) else value
    # The usual order as the last release writes it, which may answer for the next page.
    text = f"{shown} {document_id}" if sort is Sort.NEWEST else json.dumps([sort, shown, document_id])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(sort: Sort, cursor: str) -> tuple[Any, str]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        meant, *place = [Sort.NEWEST, *text.split(" ", 1)] if sort is Sort.NEWEST else json.loads(text)
        if meant != sort:
            raise ValueError("of another order")  # noqa: TRY301 - told as all others
        return _KEYS[sort.removeprefix("-")].place.validate_python(tuple(place))
    except (ValueError, TypeError) as error:
        errors = [{"field": "cursor", "message": "unknown"}]
        raise Invalid("The cursor is none of ours, or of another order.", errors=errors) from error
