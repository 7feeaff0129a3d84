import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.failures import DocumentFailed, FailureCode
from services.parser.formats.pdf import pdf
from services.parser.formats.pdf.outline import Outline
from services.parser.formats.pdf.pdf_engine import OutlineEntry, placed
from services.parser.formats.pdf.pdfium_engine import PdfiumEngine
from services.parser.formats.pdf.pypdf_engine import PypdfEngine
from services.parser.formats.reading import PdfEngineName, Reading
from services.parser.parsed_document import Content
from tests.support import documents
from tests.support.documents import Bookmark

Parse = Callable[[bytes], Content]

ENGINES: tuple[PdfEngineName, ...] = ("auto", "pypdf", "pdfium")


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> PdfEngineName:
    name: PdfEngineName = request.param
    return name


@pytest.fixture
def parse(tmp_path: Path, engine: PdfEngineName) -> Parse:
    def parse_(data: bytes) -> Content:
        path = tmp_path / "document.pdf"
        path.write_bytes(data)
        return pdf.read(path, Reading(engine))

    return parse_


def pages(content: Content) -> list[tuple[int | None, str]]:
    return [(block.page, block.text) for block in content.blocks]


def code_of(parse: Parse, data: bytes) -> FailureCode:
    with pytest.raises(DocumentFailed) as failed:
        parse(data)
    assert failed.value.message.endswith(".")
    return failed.value.code


def test_each_page_is_read(parse: Parse) -> None:
    content = parse(documents.pdf("The first page", "The second (page)"))
    assert content.page_count == 2
    assert pages(content) == [(1, "The first page"), (2, "The second (page)")]


def test_metadata_is_read(parse: Parse) -> None:
    content = parse(documents.pdf("Text", title="A title", author="Somebody"))
    assert content.metadata["title"] == "A title"
    assert content.metadata["author"] == "Somebody"


def test_the_outline_divides_pages_where_its_titles_stand(parse: Parse) -> None:
    outline = [Bookmark("Methods", 1), Bookmark("Results", 1, under="Methods"), Bookmark("Unseen title", 2)]
    content = parse(
        documents.pdf("Before\n1. Methods\nWe did.\n1.1 Results\nIt worked.", "End", outline=outline)
    )
    assert [(block.headings, block.text) for block in content.blocks] == [
        ((), "Before"),
        (("Methods",), "1. Methods\nWe did."),
        (("Methods", "Results"), "1.1 Results\nIt worked."),
        (("Unseen title",), "End"),
    ]


def test_progress_is_told_once_a_file_is_open_and_after_each_page(
    tmp_path: Path, engine: PdfEngineName
) -> None:
    path = tmp_path / "document.pdf"
    path.write_bytes(documents.pdf("One", "Two", "Three"))
    told: list[tuple[int, int]] = []
    pdf.read(path, Reading(engine, lambda done, count: told.append((done, count))))
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_pdfium_reads_a_file_that_was_never_named() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(documents.pdf("This page has no name."))
        file.flush()
        engine = PdfiumEngine.open(Path(f"/proc/self/fd/{file.fileno()}"))
        assert engine.text(0).strip() == "This page has no name."
        engine.close()


def test_a_scan_has_no_text_layer(parse: Parse) -> None:
    assert code_of(parse, documents.scanned_pdf(3)) is FailureCode.NO_TEXT_LAYER


def test_a_password_is_wanted(parse: Parse) -> None:
    assert code_of(parse, documents.encrypted_pdf("Secret", password="pw")) is FailureCode.ENCRYPTED


def test_an_empty_password_opens_a_file(parse: Parse) -> None:
    assert pages(parse(documents.encrypted_pdf("Open", password=""))) == [(1, "Open")]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"%PDF-1.7\n",
        b"%PDF-1.7\nnot a PDF at all " * 100,
        documents.truncated_pdf("A page", "and another", keep=0.3),
        documents.cyclic_pdf(),
    ],
    ids=["empty", "header", "junk", "truncated", "cyclic"],
)
def test_what_can_not_be_read_is_corrupt(parse: Parse, data: bytes) -> None:
    assert code_of(parse, data) is FailureCode.CORRUPT


def test_a_file_whose_table_of_objects_is_wrong_is_read_by_looking_for_them(parse: Parse) -> None:
    damaged = documents.pdf("A page", "and another").replace(b"startxref\n", b"startxref\n9")
    assert pages(parse(damaged)) == [(1, "A page"), (2, "and another")]


@pytest.mark.parametrize("declared", [100_000, 0, -1])
def test_the_number_of_pages_is_counted_and_not_believed(parse: Parse, declared: int) -> None:
    content = parse(documents.pdf_that_declares(declared, "One", "Two"))
    assert content.page_count == 2
    assert pages(content) == [(1, "One"), (2, "Two")]


@pytest.mark.parametrize("engine", ["auto", "pdfium"], indirect=True)
def test_a_page_that_fails_costs_one_page(parse: Parse) -> None:
    content = parse(documents.pdf_with_broken_page("One", "Two", "Three", broken=2))
    assert pages(content) == [(1, "One"), (3, "Three")]
    assert content.pages_failed == (2,)


@pytest.mark.parametrize("engine", ["auto"], indirect=True)
@pytest.mark.parametrize("error", [RecursionError, KeyError, AttributeError])
def test_pypdf_reads_a_page_that_pdfium_can_not(
    parse: Parse, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    read_text = PdfiumEngine.text

    def text(self: PdfiumEngine, page: int) -> str:
        if page == 1:
            raise error
        return read_text(self, page)

    monkeypatch.setattr(PdfiumEngine, "text", text)
    content = parse(documents.pdf("One", "Two", "Three"))
    assert pages(content) == [(1, "One"), (2, "Two"), (3, "Three")]
    assert content.pages_failed == ()


def broken(*_: object) -> str:
    raise AttributeError("a method that an upgrade took away")


@pytest.mark.parametrize("method", ["open", "text"])
def test_engines_that_read_no_file_at_all_are_no_damage_of_this_one(
    parse: Parse, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    for kind in (PdfiumEngine, PypdfEngine):
        monkeypatch.setattr(kind, method, broken)
    with pytest.raises(DocumentFailed) as failed:
        parse(documents.pdf("One", "Two"))
    assert (failed.value.code, failed.value.retryable) == (FailureCode.INTERNAL, True)
    assert isinstance(failed.value.__cause__, AttributeError)


@pytest.mark.parametrize("engine", ["auto"], indirect=True)
def test_a_scan_is_not_called_damaged_where_one_engine_opens_no_file(
    parse: Parse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PypdfEngine, "open", broken)
    assert code_of(parse, documents.scanned_pdf()) is FailureCode.INTERNAL


def test_an_attribute_error_that_only_this_file_causes_is_its_damage(
    parse: Parse, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in (PdfiumEngine, PypdfEngine):
        monkeypatch.setattr(kind, "text", lambda self, page: broken() if self.page_count > 1 else "text")
    assert code_of(parse, documents.pdf("One", "Two")) is FailureCode.CORRUPT


@pytest.mark.parametrize("engine", ["auto"], indirect=True)
def test_what_one_engine_raised_before_the_other_read_the_page_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: PdfEngineName
) -> None:
    monkeypatch.setattr(PdfiumEngine, "text", broken)
    path = tmp_path / "document.pdf"
    path.write_bytes(documents.pdf("One", "Two", "Three"))
    reading = Reading(engine)
    assert pdf.read(path, reading).pages_failed == ()
    (error,) = reading.swallowed.summary()
    assert (error.kind, error.count) == ("AttributeError", 3)
    assert error.where.startswith(f"{__name__}:")


def test_a_bug_in_what_mends_a_page_costs_no_page_in_silence(
    parse: Parse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pdf, "mend_lines", broken)
    with pytest.raises(AttributeError):
        parse(documents.pdf("One"))


@pytest.mark.parametrize("engine", ["pdfium"], indirect=True)
def test_running_out_of_memory_is_no_failure_of_a_page(parse: Parse, monkeypatch: pytest.MonkeyPatch) -> None:
    def text(_self: PdfiumEngine, _page: int) -> str:
        raise MemoryError

    monkeypatch.setattr(PdfiumEngine, "text", text)
    with pytest.raises(MemoryError):
        parse(documents.pdf("One"))


@pytest.mark.parametrize("engine", ["pdfium"], indirect=True)
def test_an_outline_that_can_not_be_read_costs_only_the_headings(
    parse: Parse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def outline(_self: PdfiumEngine) -> list[OutlineEntry]:
        raise RecursionError

    monkeypatch.setattr(PdfiumEngine, "outline", outline)
    assert pages(parse(documents.pdf("One"))) == [(1, "One")]


def test_too_many_pages_are_refused(parse: Parse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "MAX_PAGES", 2)
    assert code_of(parse, documents.pdf("One", "Two", "Three")) is FailureCode.TOO_LARGE


def test_a_row_of_digits_is_no_riddle_for_the_outline() -> None:
    outline = Outline([OutlineEntry(1, "Results", 0)])
    parts = list(outline.divide(0, f"{'7' * 500}\n1.2 Results\nfoo"))
    assert parts == [((), "7" * 500), (("Results",), "1.2 Results\nfoo")]


def test_a_part_that_leads_nowhere_stands_where_its_first_chapter_does() -> None:
    parts = [(1, "Part I", None), (2, "One", 1), (1, "Part II", None), (2, "Two", 2), (1, "End", None)]
    entries = placed([(1, "Preface", 0), *parts])
    assert [(entry.title, entry.page) for entry in entries] == [
        ("Preface", 0), ("Part I", 1), ("One", 1), ("Part II", 2), ("Two", 2),
    ]  # fmt: skip
    outline = Outline(entries)
    pages = ["Preface\ntext", "One\ntext", "Two\ntext"]
    paths = [path for number, page in enumerate(pages) for path, text in outline.divide(number, page) if text]
    assert paths == [("Preface",), ("Part I", "One"), ("Part II", "Two")]
