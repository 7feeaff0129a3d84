"""PDF: structure by pypdf, text by PDFium, and each in the other's place where it fails.

Nothing that a file says about itself is believed, and a page that fails costs one page.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path

from contracts.failures import DocumentFailed, FailureCode
from services.parser.formats.pdf.outline import Outline
from services.parser.formats.pdf.pages import Pages, first_answer
from services.parser.formats.pdf.pdf_engine import EncryptedError, PdfEngine, PdfLibrary
from services.parser.formats.pdf.pdfium_engine import PdfiumEngine
from services.parser.formats.pdf.pypdf_engine import PypdfEngine
from services.parser.formats.pdf.repair import mended
from services.parser.formats.pdf.repeated_lines import without_repeated
from services.parser.formats.pdf.xfa import form_text, is_shell, unreadable_form
from services.parser.formats.reading import MAX_PAGES, PdfEngineName, Reading, refuse_excess, timed_out
from services.parser.formats.swallowed_errors import SwallowedErrors
from services.parser.limits.limited_engine import LimitedEngine
from services.parser.normalization import clean_page, has_text, join_lines, mend_lines, tidy_prose, words_of
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


def read(path: Path, reading: Reading) -> Content:
    """Read a PDF; raises DocumentFailed, as ``internal`` where an engine is broken and not the file."""
    kinds = _ENGINES[reading.pdf_engine]
    try:
        return _read(path, kinds, reading)
    except DocumentFailed as failure:
        if failure.code is not FailureCode.CORRUPT:
            raise
        _refuse_broken(kinds)
        repaired = mended(path, reading.swallowed)
        if repaired is None:
            raise
        damage = failure
    try:
        return _read(repaired, kinds, reading)
    except DocumentFailed:
        raise damage from None  # and not that what is left of it has no text


def _read(source: Path | bytes, kinds: Sequence[type[PdfLibrary]], reading: Reading) -> Content:
    swallowed = reading.swallowed
    with ExitStack() as stack:
        engines = _open(source, kinds, reading)
        for engine in engines:
            stack.callback(_close, engine, swallowed)
        pages = Pages(engines, reading)
        if (form := _form(engines, reading)) is not None:
            return form
        if pages.count > MAX_PAGES:
            raise DocumentFailed(FailureCode.TOO_LARGE, f"The PDF has more than {MAX_PAGES:,} pages.")
        # pypdf first, which knows the structure; chunks without headings are better than none.
        outline = first_answer(engines[::-1], lambda engine: engine.outline(), swallowed)
        reading.on_page(0, pages.count)
        blocks = tuple(_blocks(pages, Outline(outline or ()), reading))
        if not blocks:
            raise _nothing(pages, reading, damaged=len(engines) < len(kinds))
        metadata = first_answer(engines[::-1], lambda engine: engine.metadata(), swallowed)
        return Content(
            blocks,
            pages.count,
            tuple(pages.failed),
            tuple(pages.garbled),
            _tidy_metadata(metadata or {}),
        )


def _form(engines: Iterable[PdfEngine], reading: Reading) -> Content | None:
    """The content of a form of XML, whose pages are a shell; raises DocumentFailed when it has none."""
    pdfium = next((engine for engine in engines if isinstance(engine, PdfiumEngine)), None)
    packets = first_answer([pdfium], PdfiumEngine.form, reading.swallowed) if pdfium else None
    if pdfium is None or not packets:
        return None
    first_page = first_answer([pdfium], lambda engine: engine.text(0), reading.swallowed)
    if not is_shell(first_page or ""):
        return None
    text = first_answer([packets], form_text, reading.swallowed)
    if not text or not has_text(text):
        raise unreadable_form()
    return Content(
        (Block(text, 1),), page_count=pdfium.page_count, metadata=_tidy_metadata(pdfium.metadata())
    )


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


def _open(source: Path | bytes, kinds: Iterable[type[PdfLibrary]], reading: Reading) -> list[PdfEngine]:
    """Open a file with each engine that can; raises DocumentFailed when none can."""
    engines: list[PdfEngine] = []
    encrypted = False
    for kind in kinds:
        with reading.swallowed:
            try:
                engine = _opening(kind, reading)(source)
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


def _opening(kind: type[PdfLibrary], reading: Reading) -> Callable[[Path | bytes], PdfEngine]:
    """PDFium can't be interrupted: the sandbox kills the child where that hangs."""
    if issubclass(kind, PdfiumEngine):
        return kind.open
    return LimitedEngine.opening(kind, reading.allowance)


def _close(engine: PdfEngine, swallowed: SwallowedErrors) -> None:
    with suppress(MemoryError), swallowed:  # What was read stays read.
        engine.close()


def _blocks(pages: Pages, outline: Outline, reading: Reading) -> Iterator[Block]:
    texts = without_repeated(list(_cleaned(pages, reading)))
    words = words_of(texts)
    for number, text in enumerate(texts, start=1):
        reading.get_on()
        for headings, part in outline.divide(number - 1, mend_lines(text, words)):
            if has_text(part):
                yield Block(join_lines(part), number, headings)


def _cleaned(pages: Pages, reading: Reading) -> Iterator[str]:
    characters = 0
    for number, text in enumerate(pages.texts(), start=1):
        characters += len(text)
        refuse_excess(characters)
        yield clean_page(text)
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
