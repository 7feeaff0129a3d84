"""Parameters of a search's statements."""

from typing import Any

from sqlalchemy import ColumnElement, Integer, Text, bindparam, cast, select
from sqlalchemy.types import TypeEngine

LIMIT: ColumnElement[int] = bindparam("limit", type_=Integer)


def once(name: str, kind: TypeEngine[Any]) -> ColumnElement[Any]:
    """Return a parameter, the text of a vector, that is read once, and not for each row.

    A statement that a connection has prepared is planned without its parameters after some times: the text of a
    vector was then read again for every row that it was compared with, and a search took a second.
    """
    return select(cast(bindparam(name, type_=Text), kind)).scalar_subquery()
