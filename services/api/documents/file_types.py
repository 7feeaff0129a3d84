"""The filter ``fileType``: a media type, ``image/*``, or a file ending; alike in lists and in the stream."""

from sqlalchemy import ColumnElement, func, true

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
    """Return ``has_file_type`` as a condition on documents."""
    wanted = wanted.lower()
    if wanted == "*/*":
        return true()
    if wanted.endswith("/*"):
        return func.lower(documents.c.file_type).startswith(wanted[:-1], autoescape=True)
    if "/" in wanted:
        return func.lower(documents.c.file_type) == wanted
    return func.lower(documents.c.filename).endswith("." + wanted.lstrip("."), autoescape=True)
