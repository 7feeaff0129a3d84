"""The filter ``fileType``: a media type, ``image/*``, or a file ending; alike in lists and in the stream."""

from sqlalchemy import ColumnElement, func, true

from services.runtime.database.listed_columns import (
    LISTED_ENDING,
    LISTED_TYPE,
    LONGEST_ENDING,
    LONGEST_TYPE,
)
from services.runtime.database.tables import documents


def has_file_type(wanted: str, file_type: str | None, filename: str | None) -> bool:
    """Return whether a document of this media type and name is wanted."""
    wanted = wanted.lower()
    if wanted == "*/*":
        return True
    if wanted.endswith("/*"):
        return (file_type or "").lower().startswith(wanted[:-1])
    if "/" in wanted:
        return (file_type or "").lower() == wanted
    return (filename or "").lower().endswith("." + wanted.lstrip("."))


def matches_file_type(wanted: str) -> ColumnElement[bool]:
    """Return ``has_file_type`` as a condition on documents, in the words of their indexes."""
    wanted = wanted.lower()
    if wanted == "*/*":
        return true()
    if wanted.endswith("/*"):
        return _has_kind(wanted[:-1])
    if "/" in wanted:
        is_cut = len(wanted) >= LONGEST_TYPE
        return (func.lower(documents.c.file_type) if is_cut else LISTED_TYPE) == wanted
    ending = "." + wanted.lstrip(".")
    if len(ending) > LONGEST_ENDING:
        return func.lower(documents.c.filename).endswith(ending, autoescape=True)
    return LISTED_ENDING.startswith(ending[::-1], autoescape=True)


def columns_match_file_type(
    wanted: str, file_type: ColumnElement[str | None], filename: ColumnElement[str | None]
) -> ColumnElement[bool]:
    """Return ``has_file_type`` as a condition on any columns."""
    wanted = wanted.lower()
    if wanted == "*/*":
        return true()
    if wanted.endswith("/*"):
        return func.lower(file_type).startswith(wanted[:-1], autoescape=True)
    if "/" in wanted:
        return func.lower(file_type) == wanted
    return func.lower(filename).endswith("." + wanted.lstrip("."), autoescape=True)


def _has_kind(prefix: str) -> ColumnElement[bool]:
    """``image/`` and what follows."""
    if len(prefix) >= LONGEST_TYPE:
        return func.lower(documents.c.file_type).startswith(prefix, autoescape=True)
    return LISTED_TYPE.startswith(prefix, autoescape=True)
