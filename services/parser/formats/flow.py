"""A document as it is read from top to bottom: paragraphs and tables, under headings and on pages."""

from collections.abc import Iterable, Sequence

from services.parser.formats.headings import HeadingPath
from services.parser.formats.reading import refuse_excess
from services.parser.formats.table_lines import laid_out
from services.parser.normalization import has_text
from services.parser.parsed_document import Block


class Flow:
    """Collects blocks. What stands under one heading and on one page makes one, but for tables."""

    def __init__(self) -> None:
        self._headings = HeadingPath()
        self._page: int | None = None
        self._blocks: list[Block] = []
        self._texts: list[str] = []
        self._characters = 0

    def turn_to(self, page: int) -> None:
        """Begin a page, a slide or a sheet that has a number."""
        self._end_block()
        self._page = page

    def heading(self, level: int, title: str, *, shown: bool = True) -> None:
        """Begin what stands under a heading; the heading is a paragraph too unless nobody sees it in the text."""
        if not has_text(title):
            return
        self._end_block()
        self._headings.enter(level, " ".join(title.split()))
        if shown:
            self.paragraph(title)

    def paragraph(self, text: str) -> None:
        """Add a paragraph, a list's item or a line; raises DocumentFailed when the document gets too large."""
        if text := text.strip():
            self._count(text)
            self._texts.append(text)

    def lines(self, lines: Iterable[str]) -> None:
        """Add lines that stay together: a list, a head."""
        self.paragraph("\n".join(line for line in lines if line.strip()))

    def table(self, rows: Iterable[Sequence[str]]) -> None:
        """Add a table, each of whose rows stays a line and knows the names of its columns."""
        for part in laid_out(rows):
            if not part.columns:
                self.paragraph(part.text)
                continue
            self._count(part.text)
            self._end_block()
            self._blocks.append(Block(part.text, self._page, self._headings.titles, part.columns))

    def blocks(self) -> tuple[Block, ...]:
        """All that was collected."""
        self._end_block()
        return tuple(self._blocks)

    def _count(self, text: str) -> None:
        self._characters += len(text)
        refuse_excess(self._characters)

    def _end_block(self) -> None:
        text = "\n\n".join(self._texts)
        self._texts.clear()
        if has_text(text):
            self._blocks.append(Block(text, self._page, self._headings.titles))
