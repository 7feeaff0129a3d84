"""The order in which a page is read: a column whole, then the next.

Text comes in the order in which it was drawn. Only where that jumps from column to column, line by line, it is put
in order: what is drawn column by column is right already, and the rows of a table are to stay rows.
"""

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import pypdfium2

_FEWEST_LINES, _MOST_LINES = 12, 2000
_GUTTER = 4.0
_SAME_LINE = 3.0
_FEWEST_OF_A_COLUMN = 0.25
_MOST_CROSSING = 0.2
_FEWEST_JUMPS = 0.6
_FILLED = 0.55
_SIGNS_OF_A_LINE = 20
_MOST_COLUMNS = 4


@dataclass(frozen=True)
class Line:
    """A piece of a line as it is drawn, in points; y grows upwards."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def width(self) -> float:
        """Its length."""
        return self.right - self.left


def in_reading_order(page: pypdfium2.PdfTextPage, text: str) -> str:
    """Return the text of a page, as it is or column by column."""
    count = page.count_rects()
    if not _FEWEST_LINES <= count <= _MOST_LINES or len(text) < _SIGNS_OF_A_LINE * count:
        return text
    lines = [Line(*page.get_rect(index)) for index in range(count)]
    ordered = _ordered(lines, _MOST_COLUMNS)
    if ordered == lines:
        return text
    return "\n".join(str(page.get_text_bounded(one.left, one.bottom, one.right, one.top)) for one in ordered)


def _ordered(lines: list[Line], columns: int) -> list[Line]:
    start = _second_column(lines)
    if start is None or columns < 2:
        return lines
    ordered: list[Line] = []
    band: list[Line] = []
    for line in [*lines, None]:
        if line is not None and not _crosses(line, start):
            band.append(line)
            continue
        # What goes across the columns ends them.
        ordered += [one for one in band if one.right <= start]
        ordered += _ordered(
            [one for one in band if one.left >= start - _GUTTER and one.right > start], columns - 1
        )
        band = []
        ordered += [line] if line is not None else []
    return ordered


def _second_column(lines: list[Line]) -> float | None:
    """Where the second column begins, if lines jump between it and the first; None if they don't."""
    starts = Counter(round(line.left) for line in lines)
    first = min(starts, default=0)
    for start, count in sorted(starts.items()):
        if (
            start - first > 4 * _GUTTER
            and count >= len(lines) * _FEWEST_OF_A_COLUMN
            and _is_column(lines, start)
        ):
            return start - _GUTTER / 2
    return None


def _is_column(lines: list[Line], start: float) -> bool:
    left = [line for line in lines if line.right <= start - _GUTTER]
    right = [line for line in lines if line.left >= start - 1]
    crossing = len(lines) - len(left) - len(right)
    fewest = len(lines) * _FEWEST_OF_A_COLUMN
    if len(left) < fewest or len(right) < fewest or crossing > len(lines) * _MOST_CROSSING:
        return False
    jumps = sum(
        before.right <= start - _GUTTER
        and line.left >= start - 1
        and abs(before.bottom - line.bottom) < _SAME_LINE
        for before, line in pairwise(lines)
    )
    return jumps >= min(len(left), len(right)) * _FEWEST_JUMPS and _is_filled(left, start)


def _is_filled(column: list[Line], end: float) -> bool:
    """Return whether lines are of prose, which fills its column, and not the names of rows."""
    room = end - min(line.left for line in column)
    return median(line.width for line in column) >= room * _FILLED


def _crosses(line: Line, start: float) -> bool:
    return line.left < start - _GUTTER and line.right > start
