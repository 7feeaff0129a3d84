"""The pages of a PDF, each read by the first engine that can."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from services.parser.characters.symbols import SHOWN
from services.parser.formats.pdf.pdf_engine import PdfEngine
from services.parser.formats.pdf.pdfium_engine import PdfiumEngine
from services.parser.formats.reading import MAX_PAGES, Reading
from services.parser.formats.swallowed_errors import SwallowedErrors

S = TypeVar("S")
T = TypeVar("T")

_MOST_GARBLED = 0.3
"""The share of a page's signs that mean nothing, above which its text is no text."""
_MEANINGLESS = re.compile("[\ufffd\\0-\\x08\\x0e-\\x1f\ue000-\uf8ff\U000f0000-\U0010ffff]")


def first_answer(sources: Iterable[S], question: Callable[[S], T], swallowed: SwallowedErrors) -> T | None:
    """The answer of the first engine, or other source, that does not raise; None when all do."""
    for source in sources:
        with swallowed:
            return question(source)
    return None


class Pages:
    """The pages of a PDF, each read by the first engine that can."""

    def __init__(self, engines: list[PdfEngine], reading: Reading) -> None:
        """Engines in the order in which they are asked for text; at least one."""
        self._engines = engines
        self._reading = reading
        self.count = engines[0].page_count
        self.failed: list[int] = []
        self.garbled: list[int] = []
        if len({engine.page_count for engine in engines}) > 1:
            self._settle_count()
        elif isinstance(engines[0], PdfiumEngine) and len(engines) == 1:
            self.count = _existing(engines[0])

    def _settle_count(self) -> None:
        """Settle the count where engines disagree: one declares pages that aren't there, or one lost pages."""
        pdfium = next(engine for engine in self._engines if isinstance(engine, PdfiumEngine))
        walked = next(engine for engine in self._engines if engine is not pdfium).page_count
        real = _existing(pdfium)
        self.count = max(walked, real)
        if real > walked:
            # Its pages have other numbers than those of pypdf.
            self._engines = [pdfium]

    def texts(self) -> Iterator[str]:
        """The text of each page; of one that failed, nothing, and its number is in ``failed``."""
        for page in range(self.count):
            text = self._text(page)
            if text is None:
                self.failed.append(page + 1)
            elif is_garbled(text):
                self.garbled.append(page + 1)
            yield text or ""

    def _text(self, page: int) -> str | None:
        number = page + 1
        if self._reading.last_page is not None and number > self._reading.last_page:
            return None
        engines = [
            engine
            for engine in self._engines
            if number != self._reading.avoided_page or not isinstance(engine, PdfiumEngine)
        ]
        return first_answer(engines, lambda engine: engine.text(page), self._reading.swallowed)


def _existing(pdfium: PdfiumEngine) -> int:
    """Count the declared pages up to the last one that is there."""
    declared = min(pdfium.page_count, MAX_PAGES + 1)
    if pdfium.has_page(declared - 1):
        return declared
    last = max((page for page in range(declared) if pdfium.has_page(page)), default=None)
    return declared if last is None else last + 1


def is_garbled(text: str) -> bool:
    """Return whether much of a text are signs that mean nothing outside of their font, or nothing at all."""
    meaningless = len(_MEANINGLESS.findall(text.translate(SHOWN)))
    return meaningless > 0 and meaningless > len("".join(text.split())) * _MOST_GARBLED
