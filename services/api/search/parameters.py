"""Parameters of a search's statements."""

from typing import Any

from sqlalchemy import ColumnElement, Text, bindparam, cast, select
from sqlalchemy.types import TypeEngine


def once(vector: object, kind: TypeEngine[Any]) -> ColumnElement[Any]:
    """Return a query's vector as a parameter that is read once, and not for each row.

    A statement that a connection has prepared is planned without its parameters after some times: the text of a
    vector was then read again for every row that it was compared with, and a search took a second.
    """
    return select(cast(bindparam(None, str(vector), Text), kind)).scalar_subquery()
