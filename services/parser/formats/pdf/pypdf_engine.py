"""pypdf: knows a PDF's structure, and raises where PDFium would abort. Slower, and may lose spaces."""

from collections.abc import Iterator, Sequence
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Self

import pypdf
from pypdf.errors import DependencyError, FileNotDecryptedError
from pypdf.generic import Destination

from services.parser.formats.pdf.pdf_engine import (
    MAX_OUTLINE_DEPTH,
    MAX_OUTLINE_ENTRIES,
    EncryptedError,
    Found,
    OutlineEntry,
    placed,
)

# Text needs no external program for images; hostile files shall not reach one.
pypdf.overwrite_configuration(jbig2dec_binary=None, outline_maximum_depth=MAX_OUTLINE_DEPTH)


class PypdfEngine:
    """A PDF opened with pypdf."""

    def __init__(self, reader: pypdf.PdfReader) -> None:
        self._reader = reader
        self._page_count = len(reader.pages)

    @classmethod
    def open(cls, source: Path | bytes) -> Self:
        """Open a file and walk its page tree; raises EncryptedError, or what the file makes pypdf raise."""
        try:
            return cls(pypdf.PdfReader(BytesIO(source) if isinstance(source, bytes) else source))
        except (FileNotDecryptedError, DependencyError, NotImplementedError) as error:
            # pypdf has no name for a security handler that it doesn't know (certificates).
            raise EncryptedError from error

    @property
    def page_count(self) -> int:
        """The number of pages in the page tree, whatever it declares."""
        return self._page_count

    def text(self, page: int) -> str:
        """The text of a page; raises what the page makes pypdf raise."""
        return self._reader.pages[page].extract_text()

    def outline(self) -> list[OutlineEntry]:
        """The outline's entries that have a place."""
        found: list[Found] = [
            (level, str(item.title), self._reader.get_destination_page_number(item))
            for level, item in islice(_walk(self._reader.outline), MAX_OUTLINE_ENTRIES)
        ]
        return placed(found)

    def metadata(self) -> dict[str, str]:
        """Title, author, subject and keywords, as far as given."""
        about = self._reader.metadata
        if about is None:
            return {}
        fields = {"title": about.title, "author": about.author, "subject": about.subject}
        return {name: str(text or "") for name, text in {**fields, "keywords": about.keywords}.items()}

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()


def _walk(outline: Sequence[object], level: int = 1) -> Iterator[tuple[int, Destination]]:
    for item in outline:
        if isinstance(item, list):
            yield from _walk(item, level + 1)
        elif isinstance(item, Destination):
            yield level, item
