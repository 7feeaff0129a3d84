"""The text of PDFs as a person reads it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from contracts.failures import DocumentFailed, FailureCode
from services.parser.formats.pdf import pdf
from services.parser.formats.pdf.pages import is_garbled
from services.parser.formats.pdf.repeated_lines import without_repeated
from services.parser.formats.reading import Reading
from services.parser.normalization import mend_lines, words_of
from services.parser.parsed_document import Content
from tests.support import documents

Parse = Callable[[bytes], Content]
Placed = tuple[int, int, str]


@pytest.fixture
def parse(tmp_path: Path) -> Parse:
    def parse_(data: bytes) -> Content:
        path = tmp_path / "document.pdf"
        path.write_bytes(data)
        return pdf.read(path, Reading())

    return parse_


def page(lines: Sequence[Placed], fields: Sequence[str] = (), catalog: str = "") -> bytes:
    """A PDF of one page with lines at places (points from the left and the bottom), and annotations."""
    content = "".join(f"BT /F 10 Tf {x} {y} Td ({text}) Tj ET\n" for x, y, text in lines)
    numbers = range(6, 6 + len(fields))
    listed = " ".join(f"{number} 0 R" for number in numbers)
    drawn = "/MediaBox[0 0 595 842]/Resources<</Font<</F 5 0 R>>>>/Contents 4 0 R"
    objects = [
        f"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[{listed}]{catalog}>>>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        f"<</Type/Page/Parent 2 0 R{drawn}/Annots[{listed}]>>",
        f"<</Length {len(content)}>>stream\n{content}endstream",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        *fields,
    ]
    body = "".join(f"{number} 0 obj\n{one}\nendobj\n" for number, one in enumerate(objects, start=1))
    return f"%PDF-1.7\n{body}trailer\n<</Root 1 0 R/Size {len(objects) + 1}>>\n%%EOF\n".encode("latin-1")


def text_of(content: Content) -> str:
    return "\n".join(block.text for block in content.blocks)


def widget(kind: str, name: str, value: str, rectangle: str, more: str = "") -> str:
    return f"<</Type/Annot/Subtype/Widget/FT/{kind}/T({name})/V{value}/Rect[{rectangle}]/F 4{more}>>"


def test_what_was_filled_in_stands_behind_its_label(parse: Parse) -> None:
    lines = [(60, 780, "Application for a permit"), (60, 760, "Name of applicant:"), (90, 740, "Fireproof")]
    fields = [
        widget("Tx", "a[0]", "(Ottilie Marquardt)", "200 756 500 774"),
        widget("Btn", "b", "/Yes", "60 736 80 752", "/AS/Yes"),
        widget("Btn", "c", "/Off", "60 700 80 712", "/AS/Off"),
        widget("Tx", "secret", "(hunter2)", "60 600 80 612", "/Ff 8192"),
        "<</Type/Annot/Subtype/FreeText/Contents(Seen by the harbour master)/Rect[60 500 300 520]/F 4>>",
        "<</Type/Annot/Subtype/Text/Contents(folded away)/Rect[60 400 80 420]/F 4>>",
    ]
    text = text_of(parse(page(lines, fields)))
    assert "Name of applicant: Ottilie Marquardt" in text
    assert "[x] Fireproof" in text
    assert text.endswith("Seen by the harbour master")
    assert "hunter2" not in text
    assert "folded away" not in text


def xfa(template: str, data: str) -> bytes:
    shell = [(60, 780, "Please wait..."), (60, 760, "If this message is not eventually replaced ...")]
    packets = [f"<</Length {len(packet)}>>stream\n{packet}\nendstream" for packet in (template, data)]
    return page(shell, packets, "/XFA[(template) 6 0 R (datasets) 7 0 R]")


def test_the_shell_of_a_form_is_never_passed_off_as_the_document(parse: Parse) -> None:
    filled = "<d><data><f><origin>Valparaiso harbour</origin></f></data></d>"
    printed = "<template><draw><value><text>Declaration</text></value></draw></template>"
    assert text_of(parse(xfa(printed, filled))) == "Declaration\norigin: Valparaiso harbour"
    with pytest.raises(DocumentFailed) as failed:
        parse(xfa("<template/>", "<d/>"))
    assert failed.value.code is FailureCode.UNSUPPORTED_TYPE


def test_columns_that_are_drawn_line_by_line_are_read_one_after_the_other(parse: Parse) -> None:
    lines: list[Placed] = [(60, 800, "A title that goes over both of the columns below it, as titles do")]
    for number in range(15):
        lines += [
            (60, 760 - 14 * number, f"left{number} has words that fill a line of it"),
            (320, 760 - 14 * number, f"right{number} has words that fill a line of it"),
        ]
    text = text_of(parse(page(lines)))
    order = [text.index(f"{side}{number} ") for side in ("left", "right") for number in range(15)]
    assert order == sorted(order)
    assert text.index("A title") < order[0]


def test_the_rows_of_a_table_stay_rows(parse: Parse) -> None:
    lines: list[Placed] = []
    for number in range(15):
        lines += [
            (60, 760 - 14 * number, f"key{number}"),
            (320, 760 - 14 * number, f"value{number} of the row"),
        ]
    text = text_of(parse(page(lines)))
    assert text.index("key3") < text.index("value3") < text.index("key4")


def test_the_documents_own_words_decide_on_a_hyphen_at_a_lines_end() -> None:
    written = "It is a third-party tool for cooperation. Non-normal is rare."
    words = words_of([written])
    assert mend_lines("a third-\nparty tool", words).split("\n")[0] == "a third-party"
    assert mend_lines("for co-\noperation", frozenset({"cooperation"})).split("\n")[0] == "for cooperation"
    assert mend_lines("for bro-\nken words", words).split("\n")[0] == "for broken"


def test_heads_and_feet_that_repeat_are_read_once() -> None:
    bodies = ["\n".join(f"line {line} of {text}" for line in "abcdef") for text in "uvwxyz"]
    pages = [f"Harbour Rules\n{body}\nPage {number} of 6" for number, body in enumerate(bodies, start=1)]
    text = "\n".join(without_repeated(pages))
    assert text.count("Harbour Rules") == 1
    assert text.count("Page ") == 1
    assert text.count("line a") == 6


def test_a_short_page_keeps_what_it_shares_with_others() -> None:
    pages = [f"Page {n}. The same words." for n in range(8)]
    assert without_repeated(pages) == pages


def test_a_file_that_was_cut_off_is_repaired(parse: Parse) -> None:
    whole = documents.pdf("The first page of many.", "The second page.", "The third page.")
    content = parse(whole[: len(whole) * 7 // 10])
    assert "The first page" in text_of(content)


@pytest.mark.parametrize("text", ["\ue011\ue022\ue013 \ue004", "\ufffd\ufffd\ufffd a", "\x01\x02\x03"])
def test_a_text_of_signs_that_mean_nothing_is_garbled(text: str) -> None:
    assert is_garbled(text)


@pytest.mark.parametrize("text", ["Words \uf0b7 and signs \uf02b of a font", "Один \ufffd знак", ""])
def test_a_text_with_a_few_odd_signs_is_a_text(text: str) -> None:
    assert not is_garbled(text)
