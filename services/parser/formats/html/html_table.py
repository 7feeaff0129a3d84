"""The rows of a table in HTML."""

from collections.abc import Callable, Iterator

from selectolax.lexbor import LexborNode

_LONGEST_CELL = 600
"""A table with more text in a cell stands there for the layout of a page."""
_MOST_SPANNED = 200


def rows_of(table: LexborNode, text_of: Callable[[LexborNode], str]) -> Iterator[list[str]]:
    """Yield the cells of each row; one that spans rows is said in each of them."""
    above: dict[int, tuple[int, str]] = {}
    for row in table.css("tr"):
        cells: list[str] = []
        _fill(cells, above)
        for cell in row.iter():
            if cell.tag not in {"td", "th"}:
                continue
            text = text_of(cell)
            rows = _span(cell, "rowspan")
            for column in range(_span(cell, "colspan")):
                if rows > 1:
                    above[len(cells)] = (rows - 1, "" if column else text)
                cells.append("" if column else text)
            _fill(cells, above)
        yield cells


def is_for_layout(rows: list[list[str]]) -> bool:
    """Return whether what is called a table is none to its reader."""
    return max(map(len, rows), default=0) < 2 or any(
        len(cell) > _LONGEST_CELL for row in rows for cell in row
    )


def _fill(cells: list[str], above: dict[int, tuple[int, str]]) -> None:
    while len(cells) in above:
        rows, text = above.pop(len(cells))
        if rows > 1:
            above[len(cells)] = (rows - 1, text)
        cells.append(text)


def _span(cell: LexborNode, name: str) -> int:
    stated = cell.attributes.get(name) or ""
    return min(int(stated), _MOST_SPANNED) if stated.isascii() and stated.isdigit() and int(stated) else 1
