"""The protocol of a format, and the limits on what is read of a file."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from contracts.failures import DocumentFailed, FailureCode
from services.parser.formats.swallowed_errors import SwallowedErrors
from services.parser.limits.allowance import Allowance
from services.parser.parsed_document import Content

PdfEngineName = Literal["auto", "pypdf", "pdfium"]

MAX_PAGES = 20_000
MAX_CHARACTERS = 32_000_000
"""About 25,000 chunks. A file that has more than this, or more pages, is refused, not cut."""


def _ignore_progress(pages_done: int, page_count: int) -> None:
    """Ignore the progress of a file."""


def _ignore_step() -> None:
    """Ignore that some more of a file is read."""


@dataclass(frozen=True)
class Reading:
    """The way to read a file; ``on_page`` is told once it is open and after each page (pages done, page count).

    ``get_on`` is told whenever some more is read of a file without pages, however little.

    ``swallowed`` collects the exceptions after which the format went on. Of a PDF, pypdf has the time of
    ``allowance``, PDFium is not asked for ``avoided_page``, and nobody for what comes after ``last_page``.
    """

    pdf_engine: PdfEngineName = "auto"
    on_page: Callable[[int, int], None] = _ignore_progress
    get_on: Callable[[], None] = _ignore_step
    swallowed: SwallowedErrors = field(default_factory=SwallowedErrors)
    allowance: Allowance = field(default_factory=Allowance)
    avoided_page: int | None = None
    last_page: int | None = None


class Format(Protocol):
    """Reads files of one media type."""

    def __call__(self, path: Path, reading: Reading, /) -> Content:
        """Read a file; raises DocumentFailed."""
        ...


def refuse_excess(characters: int) -> None:
    """Raise DocumentFailed for a document with more text than is read."""
    if characters > MAX_CHARACTERS:
        raise DocumentFailed(
            FailureCode.TOO_LARGE, f"The document has more than {MAX_CHARACTERS:,} characters of text."
        )


def timed_out() -> DocumentFailed:
    """The failure of a file of which nothing could be read in the time that there is."""
    return DocumentFailed(FailureCode.PARSE_TIMEOUT, "Parsing the document took more time than is allowed.")


def empty() -> DocumentFailed:
    """The failure of a file that can be read, and in which there is nothing to read."""
    return DocumentFailed(FailureCode.EMPTY_DOCUMENT, "The document has no text.")
