"""A PDF library in Python whose calls are interrupted when they are late."""

from collections.abc import Callable
from pathlib import Path
from typing import Self

from services.parser.formats.pdf.pdf_engine import OutlineEntry, PdfEngine, PdfLibrary
from services.parser.limits.allowance import Allowance


class LimitedEngine:
    """An open PDF. Beside what the library raises, any method raises OutOfTimeError."""

    def __init__(self, engine: PdfEngine, allowance: Allowance) -> None:
        self._engine = engine
        self._allowance = allowance

    @classmethod
    def opening(cls, kind: type[PdfLibrary], allowance: Allowance) -> Callable[[Path | bytes], Self]:
        """Return what opens files with a library; it raises EncryptedError too."""
        return lambda source: cls(allowance.call(lambda: kind.open(source)), allowance)

    @property
    def page_count(self) -> int:
        """The number of pages, as far as the library knows."""
        return self._engine.page_count

    def text(self, page: int) -> str:
        """The text of a page, counted from 0, as it is extracted."""
        return self._allowance.call(lambda: self._engine.text(page))

    def outline(self) -> list[OutlineEntry]:
        """The outline in reading order."""
        return self._allowance.call(self._engine.outline)

    def metadata(self) -> dict[str, str]:
        """Title, author, subject and keywords, as far as given."""
        return self._allowance.call(self._engine.metadata)

    def close(self) -> None:
        """Let go of the file."""
        self._engine.close()
