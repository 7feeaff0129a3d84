from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.failures import DocumentFailed, FailureCode
from services.parser.formats import read
from services.parser.formats.reading import Reading
from services.parser.parsed_document import Content
from services.runtime.media_types import DOCX, EPUB, ODP, ODT, PPTX, XLSX, detect
from tests.support import office
from tests.support.office import word_paragraph, word_table

Parse = Callable[[bytes], Content]


@pytest.fixture
def parse(tmp_path: Path) -> Parse:
    """Reads what the bytes say that they are, whatever their name."""

    def parse_(data: bytes) -> Content:
        path = tmp_path / "document"
        path.write_bytes(data)
        return read(path, detect(data, "scan.pdf"), Reading())

    return parse_


def told(content: Content) -> list[tuple[tuple[str, ...], str, str]]:
    return [(block.headings, block.columns, block.text) for block in content.blocks]


def heading(text: str, level: int = 1) -> str:
    return word_paragraph(text, f'<w:pStyle w:val="Heading{level}"/>')


def failure(parse: Parse, data: bytes) -> FailureCode:
    with pytest.raises(DocumentFailed) as failed:
        parse(data)
    return failed.value.code


def test_a_word_document_has_its_headings_lists_tables_and_notes(parse: Parse) -> None:
    item = '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>'
    noted = '<w:p><w:r><w:t>Deep water</w:t><w:footnoteReference w:id="2"/></w:r></w:p>'
    body = (
        heading("Quay works")
        + word_paragraph("First", item)
        + heading("Costs", 2)
        + word_table(("Item", "Cost"), ("Crane\nwith hook", "12,000"), ("Rope", "30"))
        + noted
    )
    note = f'<w:footnote w:id="2">{word_paragraph("At low tide.")}</w:footnote>'
    content = parse(office.docx(body, footnotes=note, title="Harbour"))
    assert content.metadata == {"title": "Harbour"}
    assert told(content) == [
        (("Quay works",), "", "Quay works\n\n- First"),
        (("Quay works", "Costs"), "", "Costs"),
        (("Quay works", "Costs"), "Item | Cost", "Crane; with hook | 12,000\nRope | 30"),
        (("Quay works", "Costs"), "", "Deep water\n\nFootnote: At low tide."),
    ]


def test_what_was_deleted_from_a_word_document_is_not_read(parse: Parse) -> None:
    body = (
        "<w:p><w:r><w:t>Kept </w:t></w:r><w:del><w:r><w:delText>gone</w:delText><w:t>gone</w:t></w:r></w:del>"
        "<w:ins><w:r><w:t>and added.</w:t></w:r></w:ins><w:r><w:instrText>PAGE</w:instrText></w:r></w:p>"
    )
    assert told(parse(office.docx(body))) == [((), "", "Kept and added.")]


def test_a_slide_is_a_page_under_its_title_with_its_notes(parse: Parse) -> None:
    content = parse(office.pptx(("Tides", "High\nLow", "Say why."), ("Secret", "No", ""), hidden=2))
    assert told(content) == [(("Tides",), "", "Tides\n\nHigh\nLow\n\nNotes: Say why.")]
    assert [block.page for block in content.blocks] == [1]
    assert content.page_count == 2


def test_a_sheet_stands_under_its_name_and_its_rows_know_their_columns(parse: Parse) -> None:
    sheets: dict[str, list[list[str | float]]] = {
        "Duties": [["Dues of the harbour"], [], ["Port", "Duty"], ["Arica", 1200.5], ["Iquique", 30.0]],
        "Hidden": [["secret", "x"]],
    }
    assert told(parse(office.xlsx(sheets, hidden="Hidden"))) == [
        (("Duties",), "", "Duties\n\nDues of the harbour"),
        (("Duties",), "Port | Duty", "Arica | 1200.5\nIquique | 30"),
    ]


def test_an_open_document_has_its_headings_lists_tables_and_notes(parse: Parse) -> None:
    def cells(*texts: str) -> str:
        inner = "".join(f"<table:table-cell><text:p>{text}</text:p></table:table-cell>" for text in texts)
        return f"<table:table-row>{inner}</table:table-row>"

    body = (
        '<text:h text:outline-level="1">Locks</text:h><text:list><text:list-item><text:p>First</text:p>'
        "</text:list-item></text:list><text:p>Open<text:s text:c='2'/><text:span>daily</text:span><text:note>"
        "<text:note-body><text:p>Not in May.</text:p></text:note-body></text:note>.</text:p>"
        f"<table:table>{cells('Gate', 'Width')}{cells('North', '12 m')}</table:table>"
    )
    assert told(parse(office.open_document(body))) == [
        (("Locks",), "", "Locks\n\n- First\n\nOpen  daily.\n\nFootnote: Not in May."),
        (("Locks",), "Gate | Width", "North | 12 m"),
    ]


def test_slides_of_an_open_document_are_pages(parse: Parse) -> None:
    def slide(title: str, text: str) -> str:
        def frame(kind: str, words: str) -> str:
            return (
                f'<draw:frame presentation:class="{kind}"><draw:text-box><text:p>{words}</text:p></draw:text-box>'
                "</draw:frame>"
            )

        return f"<draw:page>{frame('title', title)}{frame('outline', text)}</draw:page>"

    content = parse(office.open_document(slide("One", "a") + slide("Two", "b"), "presentation"))
    assert [(block.page, block.headings, block.text) for block in content.blocks] == [
        (1, ("One",), "One\n\na"),
        (2, ("Two",), "Two\n\nb"),
    ]


def test_a_book_is_read_chapter_by_chapter(parse: Parse) -> None:
    first = "<html><head><title/><script src='x'/></head><body><h1>One</h1><p>It begins.</p></body></html>"
    content = parse(office.epub(first, "<html><body><h1>Two</h1><p>It ends.</p></body></html>"))
    assert content.metadata == {"title": "A book", "language": "en"}
    assert told(content) == [(("One",), "", "One\n\nIt begins."), (("Two",), "", "Two\n\nIt ends.")]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (
            office.open_document("<text:p>x</text:p>", manifest="<manifest:encryption-data/>"),
            FailureCode.ENCRYPTED,
        ),
        (
            office.epub(
                "<p>x</p>",
                encryption='<e><EncryptedData><EncryptionMethod Algorithm="aes"/></EncryptedData></e>',
            ),
            FailureCode.ENCRYPTED,
        ),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512) + "EncryptedPackage".encode("utf-16-le") + bytes(512),
            FailureCode.ENCRYPTED,
        ),
        (office.docx("")[:700], FailureCode.CORRUPT),
        (office.docx("<w:p>"), FailureCode.CORRUPT),
        (office.docx(""), FailureCode.EMPTY_DOCUMENT),
    ],
)  # fmt: skip
def test_what_cannot_be_read_of_an_archive_has_a_code(parse: Parse, data: bytes, code: FailureCode) -> None:
    assert failure(parse, data) is code


def test_a_member_that_unpacks_to_more_than_is_read_is_refused(
    parse: Parse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.parser.formats.office.archive.MAX_MEMBER_BYTES", 1000)
    assert failure(parse, office.docx(word_paragraph("word " * 1000))) is FailureCode.TOO_LARGE


@pytest.mark.parametrize(
    ("data", "name", "expected"),
    [
        (office.docx(""), "a.zip", DOCX),
        (office.archive({"word/media/big.png": bytes(70_000), "word/document.xml": "x"}), "a", DOCX),
        (office.pptx(("a", "b", "c")), "a.docx", PPTX),
        (office.xlsx({"a": [["b"]]}), "a.docx", XLSX),
        (office.open_document(""), "a.docx", ODT),
        (office.open_document("", "presentation-template"), "a", ODP),
        (office.epub("a"), "a.zip", EPUB),
    ],
)
def test_content_tells_office_documents_apart(data: bytes, name: str, expected: str) -> None:
    assert detect(data, name) == expected
