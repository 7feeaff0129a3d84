"""PDF: structure by pypdf, text by PDFium, and each in the other's place where it fails.

Nothing that a file says about itself is believed, and a page that fails costs one page.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from contracts.failures import DocumentFailed, FailureCode
from services.parser.formats.outline import Outline
from services.parser.formats.pdf_engine import EncryptedError, OutlineEntry, PdfEngine
from services.parser.formats.pdfium_engine import PdfiumEngine
from services.parser.formats.pypdf_engine import PypdfEngine
from services.parser.formats.reading import MAX_PAGES, PdfEngineName, Reading, refuse_excess
from services.parser.normalization import has_text, join_lines, mend_page, tidy_prose
from services.parser.parsed_document import Block, Content

_MAX_METADATA = 1000


def read(path: Path, reading: Reading) -> Content:
    """Read a PDF; raises DocumentFailed."""
    with ExitStack() as stack:
        engines = _open(path, reading.pdf_engine)
        for engine in engines:
            stack.callback(_close, engine)
        pages = Pages(engines)
        if pages.count > MAX_PAGES:
            raise DocumentFailed(FailureCode.TOO_LARGE, f"The PDF has more than {MAX_PAGES:,} pages.")
        outline = Outline(_first_outline(engines))
        blocks = tuple(_blocks(pages, outline, reading))
        _refuse_nothing(blocks, pages, damaged=reading.pdf_engine == "auto" and len(engines) < 2)
        return Content(blocks, pages.count, tuple(pages.failed), _first_metadata(engines))


class Pages:
    """The pages of a PDF, each read by the first engine that can."""

    def __init__(self, engines: list[PdfEngine]) -> None:
        """Engines in the order in which they are asked for text; at least one."""
        self._engines = engines
        self.count = engines[0].page_count
        self.failed: list[int] = []
        if len({engine.page_count for engine in engines}) > 1:
            self._settle_count()
        elif isinstance(engines[0], PdfiumEngine) and len(engines) == 1:
            self.count = _existing(engines[0])

    def _settle_count(self) -> None:
        """The engines disagree: one declares pages that aren't there, or one lost pages."""
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
            yield text or ""

    def _text(self, page: int) -> str | None:
        for engine in self._engines:
            try:
                return mend_page(engine.text(page))
            except MemoryError:
                raise
            except Exception:  # noqa: S112 - a quarter of pypdf's exceptions aren't its own
                continue
        return None


def _open(path: Path, name: PdfEngineName) -> list[PdfEngine]:
    """The engines that can open the file, in the order in which they are asked for a page's text."""
    kinds: dict[PdfEngineName, tuple[type[PdfEngine], ...]] = {
        "auto": (PdfiumEngine, PypdfEngine),
        "pdfium": (PdfiumEngine,),
        "pypdf": (PypdfEngine,),
    }
    engines: list[PdfEngine] = []
    encrypted = False
    for kind in kinds[name]:
        try:
            engine = kind.open(path)
            if engine.page_count > 0:
                engines.append(engine)
        except EncryptedError:
            encrypted = True
        except MemoryError:
            raise
        except Exception:  # noqa: S112 - as above
            continue
    if engines:
        return engines
    if encrypted:
        raise DocumentFailed(FailureCode.ENCRYPTED, "The PDF is protected by a password.")
    raise DocumentFailed(FailureCode.CORRUPT, "The file is damaged: it can't be read as a PDF.")


def _close(engine: PdfEngine) -> None:
    try:
        engine.close()
    except Exception:
        return  # What was read stays read.


def _existing(pdfium: PdfiumEngine) -> int:
    """How many of the declared pages are there, up to the last one that is."""
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


def _refuse_nothing(blocks: tuple[Block, ...], pages: Pages, *, damaged: bool) -> None:
    if blocks:
        return
    if len(pages.failed) == pages.count:
        raise DocumentFailed(FailureCode.CORRUPT, "The file is damaged: none of its pages can be read.")
    if damaged:
        raise DocumentFailed(
            FailureCode.CORRUPT, "The file is damaged: no text was found in what is left of it."
        )
    raise DocumentFailed(
        FailureCode.NO_TEXT_LAYER, "The PDF has no text: its pages are pictures. Run it through OCR first."
    )


def _first_outline(engines: list[PdfEngine]) -> list[OutlineEntry]:
    for engine in reversed(engines):
        try:
            return engine.outline()
        except MemoryError:
            raise
        except Exception:  # noqa: S112 - chunks without headings are better than none
            continue
    return []


def _first_metadata(engines: list[PdfEngine]) -> dict[str, str]:
    for engine in reversed(engines):
        try:
            found = engine.metadata()
        except MemoryError:
            raise
        except Exception:  # noqa: S112 - as above
            continue
        tidy = {name: tidy_prose(text)[:_MAX_METADATA] for name, text in found.items()}
        return {name: text for name, text in tidy.items() if text}
    return {}
