"""The table of writes in docs/architecture.md is what the statements of services/lifecycle write."""

import re
from collections.abc import Iterator
from inspect import getmembers, iscoroutinefunction
from pathlib import Path

from sqlalchemy import ClauseElement
from sqlalchemy.dialects import postgresql

from services.lifecycle import (
    attempt_statements,
    batch_statements,
    document_statements,
    lost_log_statements,
    turn_statements,
    vector_statements,
)

MODULES = (
    document_statements,
    attempt_statements,
    batch_statements,
    lost_log_statements,
    turn_statements,
    vector_statements,
)
PAGE = (Path(__file__).parents[3] / "docs" / "architecture.md").read_text()
DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's


def written(sql: str) -> Iterator[str]:
    """The tables that get or lose rows, and the columns written; those of new rows only in ``documents``."""
    yield from re.findall(r"DELETE FROM (\w+)", sql)
    for table, columns in re.findall(r"INSERT INTO (\w+) \(([^)]*)\)", sql):
        yield table
        yield from re.findall(r"\w+", columns) if table == "documents" else ()
    for assignments in re.findall(r"UPDATE \w+ SET (.*?)(?:\sWHERE|\sFROM|\sRETURNING|$)", sql, re.DOTALL):
        yield from re.findall(r"(?:^|, )(\w+) ?=", assignments)


def writes() -> dict[str, set[str]]:
    """By function, as far as a function writes anything."""
    found = {
        name: {
            one
            for used in function.__code__.co_names
            if isinstance(statement := getattr(module, used, None), ClauseElement)
            for one in written(str(statement.compile(dialect=DIALECT)))
        }
        for module in MODULES
        for name, function in getmembers(module, iscoroutinefunction)
        if function.__module__ == module.__name__
    }
    return {name: columns for name, columns in found.items() if columns}


def test_the_page_lists_every_write_with_its_columns() -> None:
    section = PAGE.partition("## Who writes")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", section, re.MULTILINE))
    listed = {name: set(re.findall(r"`(\w+)`", cell)) for name, cell in rows.items()}
    # What one function writes may be said by the name of another.
    meant = {
        name: {one for named in cell for one in listed.get(named, {named})} for name, cell in listed.items()
    }
    in_code = writes()
    differ = {name for name in meant.keys() | in_code.keys() if meant.get(name) != in_code.get(name)}
    assert {name: in_code.get(name) for name in differ} == {name: meant.get(name) for name in differ}
