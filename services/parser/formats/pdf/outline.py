"""The headings of a PDF's outline, found in the text of its pages."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from services.parser.formats.headings import HeadingPath
from services.parser.formats.pdf.pdf_engine import OutlineEntry
from services.parser.normalization import has_text, tidy_prose

_NUMBERING = re.compile(r"^(?:chapter|part|section|appendix)?\s*[\divxlc]*(?:[.:)]\d*)*\s+", re.IGNORECASE)
"""Each repetition begins with a sign: where it may be left out, a row of 30 digits is tried in 2^30 ways."""
_LONGEST_HEADING = 3
"""Lines that a heading may run over."""


class Outline:
    """Divides pages, given in order, at the headings that the outline has for them."""

    def __init__(self, entries: Iterable[OutlineEntry]) -> None:
        self._path = HeadingPath()
        self._of_page: defaultdict[int, list[OutlineEntry]] = defaultdict(list)
        for entry in entries:
            if has_text(entry.title):
                self._of_page[entry.page].append(entry)

    def divide(self, page: int, text: str) -> Iterator[tuple[tuple[str, ...], str]]:
        """Cut a page (counted from 0) into parts, each with the path of headings that it stands under.

        A heading that isn't found in the text counts from the top of the page if it is the first
        there, else from the top of the next page.
        """
        lines = text.split("\n")
        start = 0
        late: list[OutlineEntry] = []
        for number, entry in enumerate(self._of_page.get(page, ())):
            found = _find(entry.title, lines, start)
            if found is None and number:
                late.append(entry)
                continue
            yield self._path.titles, "\n".join(lines[start : found or 0])
            start = found or 0
            self._enter(entry)
        yield self._path.titles, "\n".join(lines[start:])
        for entry in late:
            self._enter(entry)

    def _enter(self, entry: OutlineEntry) -> None:
        self._path.enter(entry.level, tidy_prose(entry.title))


def _find(title: str, lines: list[str], start: int) -> int | None:
    """The line at which a heading begins, at or after ``start``."""
    wanted = _comparable(title)
    for index in range(start, len(lines)):
        shown = ""
        for line in lines[index : index + _LONGEST_HEADING]:
            shown += _comparable(line) if shown else _comparable(_NUMBERING.sub("", line, count=1))
            if shown == wanted or _comparable(lines[index]) == wanted:
                return index
            if not wanted.startswith(shown):
                break
    return None


def _comparable(text: str) -> str:
    text = tidy_prose(text).casefold()
    return "".join(char for char in _NUMBERING.sub("", text, count=1) or text if char.isalnum())
