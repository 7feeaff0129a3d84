"""What lists of documents are filtered and sorted by, written as their indexes have it: else none of them is used.

Where an attempt has begun and the log has not told yet, a row still shows the one before; people are shown, and ask
for, what has begun. What producers may send at any length is cut: an index takes no more than 2,704 bytes.
"""

from typing import TypeVar

from sqlalchemy import BigInteger, ColumnElement, DateTime, Text, literal_column
from sqlalchemy.sql.type_api import TypeEngine

T = TypeVar("T")

LONGEST_TYPE, LONGEST_NAME, LONGEST_ENDING = 100, 200, 32
"""Characters that are compared."""

_BEGUN = "CASE WHEN documents.status_attempt < documents.attempt THEN"


def _expression(sql: str, type_: TypeEngine[T]) -> ColumnElement[T]:
    return literal_column(f"({sql})", type_)


SHOWN_STATUS = _expression(f"{_BEGUN} 'parsing_started' ELSE documents.status END", Text())
SHOWN_CODE = _expression(f"{_BEGUN} NULL ELSE left(documents.error ->> 'code', 64) END", Text())
SHOWN_UPDATED = _expression(f"{_BEGUN} documents.attempted_at ELSE documents.updated_at END", DateTime(True))
LISTED_TYPE = _expression(f"left(lower(documents.file_type), {LONGEST_TYPE})", Text())
LISTED_NAME = _expression(f"left(coalesce(documents.filename, ''), {LONGEST_NAME})", Text())
LISTED_SIZE = _expression("coalesce(documents.size, -1)", BigInteger())
LISTED_ENDING = _expression(f"reverse(right(lower(documents.filename), {LONGEST_ENDING}))", Text())
"""Backwards, so that an ending is a beginning."""
