"""PDF: structure by pypdf, text by PDFium, and each in the other's place where it fails.

Nothing that a file says about itself is believed, and a page that fails costs one page.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import TypeVar

from contracts.failures import DocumentFailed, FailureCode
from services.parser.formats.pdf.outline import Outline
from services.parser.formats.pdf.pdf_engine import EncryptedError, PdfEngine, PdfLibrary
from services.parser.formats.pdf.pdfium_engine import PdfiumEngine
from services.parser.formats.pdf.pypdf_engine import PypdfEngine
from services.parser.formats.reading import MAX_PAGES, PdfEngineName, Reading, refuse_excess, timed_out
from services.parser.formats.swallowed_errors import SwallowedErrors
from services.parser.limits.limited_engine import LimitedEngine
from services.parser.normalization import has_text, join_lines, mend_page, tidy_prose
from services.parser.parsed_document import Block, Content

_MAX_METADATA = 1000

_READABLE = Path(__file__).parent / "readable.pdf"
"""One page, which any engine can read that works at all."""

_ENGINES: Mapping[PdfEngineName, Sequence[type[PdfLibrary]]] = {
    "auto": (PdfiumEngine, PypdfEngine),
    "pdfium": (PdfiumEngine,),
    "pypdf": (PypdfEngine,),
}
"""In the order in which they are asked for a page's text."""

T = TypeVar("T")


def read(path: Path, reading: Reading) -> Content:
    """Read a PDF; raises DocumentFailed, as ``internal`` where an engine is broken and not the file."""
    kinds = _ENGINES[reading.pdf_engine]
    try:
        return _read(path, kinds, reading)
    except DocumentFailed as failure:
        if failure.code is FailureCode.CORRUPT:
            _refuse_broken(kinds)
        raise


def _read(path: Path, kinds: Sequence[type[PdfLibrary]], reading: Reading) -> Content:
    swallowed = reading.swallowed
    with ExitStack() as stack:
        engines = _open(path, kinds, reading)
        for engine in engines:
            stack.callback(_close, engine, swallowed)
        pages = Pages(engines, reading)
        if pages.count > MAX_PAGES:
            raise DocumentFailed(FailureCode.TOO_LARGE, f"The PDF has more than {MAX_PAGES:,} pages.")
        # pypdf first, which knows the structure; chunks without headings are better than none.
        outline = _first_answer(engines[::-1], lambda engine: engine.outline(), swallowed)
        reading.on_page(0, pages.count)
        blocks = tuple(_blocks(pages, Outline(outline or ()), reading))
        if not blocks:
            raise _nothing(pages, reading, damaged=len(engines) < len(kinds))
        metadata = _first_answer(engines[::-1], lambda engine: engine.metadata(), swallowed)
        return Content(blocks, pages.count, tuple(pages.failed), metadata=_tidy_metadata(metadata or {}))


def _refuse_broken(kinds: Iterable[type[PdfLibrary]]) -> None:
    """Raise DocumentFailed when an engine can't read what can be read: then nothing is known of the file.

    The exceptions that a file caused don't tell that: a quarter of pypdf's aren't its own, and damaged
    files cause the same AttributeError as a method that an upgrade took away.
    """
    for kind in kinds:
        try:
            with closing(kind.open(_READABLE)) as engine:
                engine.text(0)
        except MemoryError:
            raise
        except Exception as error:
            raise DocumentFailed(
                FailureCode.INTERNAL,
                "PDFs can't be read at the moment: the parser is at fault, not the file.",
            ) from error


def _first_answer(
    engines: Iterable[PdfEngine], question: Callable[[PdfEngine], T], swallowed: SwallowedErrors
) -> T | None:
    """The answer of the first engine that does not raise; None when all do."""
    for engine in engines:
        with swallowed:
            return question(engine)
    return None


class Pages:
    """The pages of a PDF, each read by the first engine that can."""

    def __init__(self, engines: list[PdfEngine], reading: Reading) -> None:
        """Engines in the order in which they are asked for text; at least one."""
        self._engines = engines
        self._reading = reading
        self.count = engines[0].page_count
        self.failed: list[int] = []
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
            yield mend_page(text or "")

    def _text(self, page: int) -> str | None:
        number = page + 1
        if self._reading.last_page is not None and number > self._reading.last_page:
            return None
        engines = [
            engine
            for engine in self._engines
            if number != self._reading.avoided_page or not isinstance(engine, PdfiumEngine)
        ]
        return _first_answer(engines, lambda engine: engine.text(page), self._reading.swallowed)


def _open(path: Path, kinds: Iterable[type[PdfLibrary]], reading: Reading) -> list[PdfEngine]:
    """Open a file with each engine that can; raises DocumentFailed when none can."""
    engines: list[PdfEngine] = []
    encrypted = False
    for kind in kinds:
        with reading.swallowed:
            try:
                engine = _opening(kind, reading)(path)
            except EncryptedError:
                encrypted = True
                continue
            if engine.page_count > 0:
                engines.append(engine)
    if engines:
        return engines
    if encrypted:
        raise DocumentFailed(FailureCode.ENCRYPTED, "The PDF is protected by a password.")
    if reading.allowance.was_exceeded:
        raise timed_out()
    raise DocumentFailed(FailureCode.CORRUPT, "The file is damaged: it can't be read as a PDF.")


def _opening(kind: type[PdfLibrary], reading: Reading) -> Callable[[Path], PdfEngine]:
    """PDFium can't be interrupted: the sandbox kills the child where that hangs."""
    if issubclass(kind, PdfiumEngine):
        return kind.open
    return LimitedEngine.opening(kind, reading.allowance)


def _close(engine: PdfEngine, swallowed: SwallowedErrors) -> None:
    with suppress(MemoryError), swallowed:  # What was read stays read.
        engine.close()


def _existing(pdfium: PdfiumEngine) -> int:
    """Count the declared pages up to the last one that is there."""
    declared = min(pdfium.page_count, MAX_PAGES + 1)
    if pdfium.has_page(declared - 1):
        return declared
    last = max((page for page in range(declared) if pdfium.has_page(page)), default=None)
    return declared if last is None else last + 1


def _blocks(pages: Pages, outline: Outline, reading: Reading) -> Iterator[Block]:
    characters = 0
    for number, text in enumerate(pages.texts(), start=1):
        characters += len(text)
        refuse_excess(characters)
        for headings, part in outline.divide(number - 1, text):
            if has_text(part):
                yield Block(join_lines(part), number, headings)
        reading.on_page(number, pages.count)


def _nothing(pages: Pages, reading: Reading, *, damaged: bool) -> DocumentFailed:
    """The failure of a file in which no text was found."""
    if pages.failed and reading.allowance.was_exceeded:
        return timed_out()
    if len(pages.failed) == pages.count:
        return DocumentFailed(FailureCode.CORRUPT, "The file is damaged: none of its pages can be read.")
    if damaged:
        return DocumentFailed(
            FailureCode.CORRUPT, "The file is damaged: no text was found in what is left of it."
        )
    return DocumentFailed(
        FailureCode.NO_TEXT_LAYER, "The PDF has no text: its pages are pictures. Run it through OCR first."
    )


def _tidy_metadata(found: dict[str, str]) -> dict[str, str]:
    tidy = {name: tidy_prose(text)[:_MAX_METADATA] for name, text in found.items()}
    return {name: text for name, text in tidy.items() if text}
