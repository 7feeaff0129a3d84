"""The interface of a PDF library, so that one can stand in for the other, page by page."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from contracts.failures import StagecastError


class EncryptedError(StagecastError):
    """The file wants a password or a certificate; the empty password does not open it."""


@dataclass(frozen=True)
class OutlineEntry:
    """A heading of the document's outline; ``page`` counts from 0, ``level`` from 1."""

    level: int
    title: str
    page: int


Found = tuple[int, str, int | None]
"""A level, a title and the page that it leads to, if any, as a library tells them."""


def placed(found: Sequence[Found]) -> list[OutlineEntry]:
    """The entries that have a place: a part that leads nowhere itself stands where its first chapter does."""
    entries: list[OutlineEntry] = []
    for level, title, page in reversed(found):
        if page is None and entries and entries[-1].level > level:
            page = entries[-1].page
        if page is not None:
            entries.append(OutlineEntry(level, title, page))
    return entries[::-1]


MAX_OUTLINE_ENTRIES = 20_000
MAX_OUTLINE_DEPTH = 16


class PdfEngine(Protocol):
    """An open PDF. Any method may raise any Exception: the file decides what the library runs into."""

    @property
    def page_count(self) -> int:
        """The number of pages, as far as this engine knows."""
        ...

    def text(self, page: int) -> str:
        """The text of a page, counted from 0, as it is extracted."""
        ...

    def outline(self) -> list[OutlineEntry]:
        """The outline in reading order."""
        ...

    def metadata(self) -> dict[str, str]:
        """Title, author, subject and keywords, as far as given."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


class PdfLibrary(PdfEngine, Protocol):
    """An engine that opens files by itself."""

    @classmethod
    def open(cls, source: Path | bytes) -> Self:
        """Open a file or its bytes, with the empty password if it is encrypted; raises EncryptedError."""
        ...
