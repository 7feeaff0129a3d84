"""PDFium: fast, and reads the text of most pages best. It aborts its process on some hostile files."""

from contextlib import closing
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Self

import pypdfium2
import pypdfium2.raw

from services.parser.formats.pdf.filled_in import with_filled_in, xfa_packets
from services.parser.formats.pdf.ligatures import with_ligatures
from services.parser.formats.pdf.pdf_engine import (
    MAX_OUTLINE_DEPTH,
    MAX_OUTLINE_ENTRIES,
    EncryptedError,
    Found,
    OutlineEntry,
    placed,
)
from services.parser.formats.pdf.reading_order import in_reading_order

_METADATA = ("Title", "Author", "Subject", "Keywords")


class PdfiumEngine:
    """A PDF opened with PDFium."""

    def __init__(self, document: pypdfium2.PdfDocument) -> None:
        self._document = document
        if document.get_formtype() != pypdfium2.raw.FORMTYPE_NONE:
            document.init_forms()

    @classmethod
    def open(cls, source: Path | bytes) -> Self:
        """Open a file; raises EncryptedError or pypdfium2.PdfiumError."""
        # An open file and not its path, which pypdfium2 resolves: a copy that was never named has only a
        # path under /proc, and what that resolves to does not exist.
        file = BytesIO(source) if isinstance(source, bytes) else source.open("rb")
        try:
            return cls(pypdfium2.PdfDocument(file, autoclose=True))
        except pypdfium2.PdfiumError as error:
            file.close()
            if error.err_code in (pypdfium2.raw.FPDF_ERR_PASSWORD, pypdfium2.raw.FPDF_ERR_SECURITY):
                raise EncryptedError from error
            raise

    @property
    def page_count(self) -> int:
        """The number that the file declares, unless PDFium found that absurd."""
        return len(self._document)

    def text(self, page: int) -> str:
        """The text of a page, with what was filled in; raises pypdfium2.PdfiumError when there is no such page."""
        with closing(self._document[page]) as opened, closing(opened.get_textpage()) as text:
            shown = with_ligatures(text, str(text.get_text_range()))
            return with_filled_in(opened, text, in_reading_order(text, shown))

    def form(self) -> dict[str, bytes]:
        """The packets of a form that is made of XML, by their names."""
        return xfa_packets(self._document)

    def has_page(self, page: int) -> bool:
        """Return whether a page that is declared is there."""
        try:
            self._document[page].close()
        except pypdfium2.PdfiumError:
            return False
        return True

    def outline(self) -> list[OutlineEntry]:
        """The outline's entries that have a place."""
        found: list[Found] = []
        bookmarks = self._document.get_toc(max_depth=MAX_OUTLINE_DEPTH)
        for bookmark in islice(bookmarks, MAX_OUTLINE_ENTRIES):
            target = bookmark.get_dest()
            found.append((bookmark.level + 1, bookmark.get_title(), target.get_index() if target else None))
        return placed(found)

    def metadata(self) -> dict[str, str]:
        """Title, author, subject and keywords, as far as given."""
        return {name.lower(): self._document.get_metadata_value(name) for name in _METADATA}

    def close(self) -> None:
        """Let go of the file."""
        self._document.close()
