"""Where a text is cut whatever stands before, so that a changed page moves few of the chunks behind it.

Chunks are filled one after another. In texts whose paragraphs are of like length, one more of them would move all
that follow to other bounds, and all would be embedded again.
"""

import re
from collections.abc import Iterator, Sequence
from zlib import crc32

_PARAGRAPHS, _SENTENCES = 16, 128
"""One in so many begins a stretch, chosen by its own first words: about every tenth chunk."""
_FIRST_CHARACTERS = 48
_LEAST_CHARACTERS = 1500
"""Of a stretch: lines that repeat themselves are chosen each time, or never."""

_STARTS = re.compile(r"\n\n+|(?<=[.!?。！？])\s+")  # noqa: RUF001 - ideographic full stops


def stretches(text: str) -> Iterator[tuple[int, str]]:
    """Cut a text into stretches that begin at paragraphs or sentences; each with its offset."""
    begin = 0
    for found in _STARTS.finditer(text):
        start = found.end()
        if start - begin >= _LEAST_CHARACTERS and _is_chosen(
            found[0], text[start : start + _FIRST_CHARACTERS]
        ):
            yield begin, text[begin:start]
            begin = start
    yield begin, text[begin:]


def filled_rows(text: str, tokens: Sequence[int], room: int) -> Iterator[tuple[int, str]]:
    """Share the rows of a table, a line each, out to texts of at most ``room`` tokens; each with its offset.

    ``tokens`` are those of each row; one that is longer than the room is a text of its own.
    """
    begin = stretch = offset = filled = 0
    for row, count in zip(text.split("\n"), tokens, strict=True):
        begins_stretch = offset - stretch >= _LEAST_CHARACTERS and _is_chosen("\n\n", row[:_FIRST_CHARACTERS])
        if filled and (filled + count > room or begins_stretch):
            yield begin, text[begin : offset - 1]
            begin, filled = offset, 0
        stretch = offset if begins_stretch else stretch
        filled += count
        offset += len(row) + 1
    yield begin, text[begin:]


def _is_chosen(gap: str, first_words: str) -> bool:
    return crc32(first_words.encode()) % (_PARAGRAPHS if "\n\n" in gap else _SENTENCES) == 0
