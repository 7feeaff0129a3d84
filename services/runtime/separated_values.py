"""Tables in text: told from prose by the sign that parts the values of every line."""

import csv
from collections import Counter

_DELIMITERS = "\t;,|"
_MOST_LINES = 50
_LEAST_AGREEING = 0.9
_LONGEST_VALUE = 200


def delimiter_of(
    sample: str, *, least_lines: int = 1, least_columns: int = 2, least_agreeing: float = _LEAST_AGREEING
) -> str | None:
    """Return the sign that parts the values of a table whose beginning is given; None where there is none.

    ``least_agreeing`` is the share of lines that have to have the same number of values.
    """
    found = {
        sign: columns
        for sign in _DELIMITERS
        if (columns := _columns(sample, sign, least_lines, least_agreeing))
    }
    best = max(found, key=lambda sign: (found[sign], -_DELIMITERS.index(sign)), default=None)
    return best if best is not None and found[best] >= least_columns else None


def _columns(sample: str, delimiter: str, least_lines: int, least_agreeing: float) -> int:
    """The number of columns that nearly all lines have, 0 where they differ."""
    # The last line may be cut off.
    whole = sample.rpartition("\n")[0] or sample
    try:
        rows = csv.reader(whole.splitlines()[:_MOST_LINES], delimiter=delimiter)
        widths = Counter(len(row) for row in rows if any(map(str.strip, row)) and _are_values(row))
    except csv.Error:
        return 0
    if not widths:
        return 0
    width, count = widths.most_common(1)[0]
    agree = count >= widths.total() * least_agreeing
    return width if width > 1 and agree and widths.total() >= least_lines else 0


def _are_values(row: list[str]) -> bool:
    return all(len(value) <= _LONGEST_VALUE for value in row[:-1])
