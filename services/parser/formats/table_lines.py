"""Tables as lines: a row is one, and whatever is cut out of a table knows its columns."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from services.parser.normalization import tidy_prose
from services.parser.parsed_document import BETWEEN_CELLS

WIDEST_HEAD = 160
"""Characters of a line of names that is repeated before each part of a table; with more, each cell has its name."""
_HIGHEST_HEAD = 3
"""Rows from the top among which the one with the names is looked for."""

_SIGNS_OF_NUMBERS = " .,:;%+-/()'’€$£¥"  # noqa: RUF001 - a thousands' sign


@dataclass(frozen=True)
class TablePart:
    """Rows under one line of names; ``columns`` is empty where there is none."""

    columns: str
    text: str


def laid_out(rows: Iterable[Sequence[str]]) -> Iterator[TablePart]:
    """Lay out the rows of a table, or of a sheet that has several with empty rows between them."""
    names: list[str] = []
    for group in _groups(rows):
        titles, table = _titles(group)
        if titles or not _continues(names, table):
            yield from (TablePart("", title) for title in titles)
            names = []
        if not names:
            above, names, table = _head(table)
            yield from (TablePart("", _line(row)) for row in above)
        if table:
            yield _part(names, table)


def _groups(rows: Iterable[Sequence[str]]) -> Iterator[list[list[str]]]:
    group: list[list[str]] = []
    for row in rows:
        cells = [tidy_prose(cell) for cell in row]
        if any(cells):
            group.append(cells)
        elif group:
            yield group
            group = []
    if group:
        yield group


def _titles(group: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    """What stands above a table in a line of its own, and the table without columns that are empty."""
    count = 0
    while count < len(group) and len(set(filter(None, group[count]))) == 1:
        count += 1
    if count == len(group):
        return [" ".join(dict.fromkeys(filter(None, row))) for row in group], []
    titles = [next(filter(None, row)) for row in group[:count]]
    width = max(map(len, group))
    table = [[*row, *[""] * (width - len(row))] for row in group[count:]]
    used = [index for index in range(width) if any(row[index] for row in table)]
    return titles, [[row[index] for index in used] for row in table]


def _head(table: list[list[str]]) -> tuple[list[list[str]], list[str], list[list[str]]]:
    """The rows above the names of the columns, which span several of them; the names; and the rows below."""
    for index, row in enumerate(table[:_HIGHEST_HEAD]):
        if any(map(_is_number, row)) or index == len(table) - 1:
            break
        if _is_head(row):
            return table[:index], row, table[index + 1 :]
    return [], [], table


def _continues(names: list[str], table: list[list[str]]) -> bool:
    return bool(names) and bool(table) and len(table[0]) == len(names) and not _is_like(table, names)


def _is_like(table: list[list[str]], names: list[str]) -> bool:
    """Return whether a table behind an empty row has a head of its own: words above numbers."""
    return table[0] == names or (_is_head(table[0]) and any(map(_is_number, table[-1])) and len(table) > 1)


def _is_head(row: list[str]) -> bool:
    filled = [cell for cell in row if cell]
    return len(filled) * 2 >= len(row) and not any(map(_is_number, filled))


def _is_number(cell: str) -> bool:
    bare = "".join(sign for sign in cell if sign not in _SIGNS_OF_NUMBERS)
    # A year heads a column as often as a name does.
    return bare.isdigit() and not (len(cell) == 4 and cell.startswith(("19", "20")))


def _part(names: list[str], table: list[list[str]]) -> TablePart:
    return TablePart(_line(names), "\n".join(map(_line, table)))


def _line(cells: list[str]) -> str:
    return BETWEEN_CELLS.join(cells).rstrip("| ") if any(cells) else ""
