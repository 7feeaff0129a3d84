import codecs
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.failures import DocumentFailed, FailureCode
from services.parser.formats import FORMATS, read
from services.parser.formats.decoding import decode
from services.parser.formats.reading import Reading
from services.parser.parsed_document import Content
from services.runtime.media_types import HTML, MARKDOWN, PLAIN, SUPPORTED

Parse = Callable[[str | bytes, str], Content]

RUSSIAN = "Все люди рождаются свободными и равными в своём достоинстве и правах.\n" * 3


@pytest.fixture
def parse(tmp_path: Path) -> Parse:
    def parse_(data: str | bytes, media_type: str) -> Content:
        path = tmp_path / "document"
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return read(path, media_type, Reading())

    return parse_


def sections(content: Content) -> list[tuple[tuple[str, ...], str]]:
    return [(block.headings, block.text) for block in content.blocks]


def test_there_is_a_format_for_each_supported_type() -> None:
    assert FORMATS.keys() == SUPPORTED


def test_an_unknown_type_is_refused(parse: Parse) -> None:
    with pytest.raises(DocumentFailed) as failed:
        parse(b"\x89PNG", "image/png")
    assert failed.value.code is FailureCode.UNSUPPORTED_TYPE


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        *[(data, kind) for data in ("", " \n\t", "...") for kind in (PLAIN, MARKDOWN, HTML)],
        ("<script>1</script><p hidden>2</p>", HTML),
        ("---\ntitle: Nothing follows\n---\n", MARKDOWN),
    ],
)
def test_a_file_without_text_is_empty(parse: Parse, data: str, media_type: str) -> None:
    with pytest.raises(DocumentFailed) as failed:
        parse(data, media_type)
    assert failed.value.code is FailureCode.EMPTY_DOCUMENT


def test_plain_text_keeps_its_lines(parse: Parse) -> None:
    assert sections(parse("one\r\ntwo\n\n\n\nthree\n", PLAIN)) == [((), "one\ntwo\n\nthree")]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1251", "koi8-r"]
)
def test_text_is_decoded_whatever_its_encoding(encoding: str) -> None:
    assert decode(RUSSIAN.encode(encoding)) == RUSSIAN


def test_a_few_western_letters_are_read_as_western() -> None:
    assert decode("Grüße, schöne Straße".encode("cp1252")) == "Grüße, schöne Straße"


def test_one_broken_byte_does_not_make_utf_8_another_encoding() -> None:
    damaged = RUSSIAN.encode() + b"\xff" + RUSSIAN.encode()
    assert decode(damaged) == f"{RUSSIAN}\ufffd{RUSSIAN}"


def test_markdown_is_divided_at_its_headings_and_keeps_the_marks_of_lists_and_code(parse: Parse) -> None:
    text = "intro\n\n# The *Guide*\n\n- a\n  # not one\n\n## Setup\n```\n# code\n```\n\nEnd\n===\nlast"
    assert sections(parse(text, MARKDOWN)) == [
        ((), "intro"),
        (("The Guide",), "The Guide\n\n- a\n\nnot one"),
        (("The Guide", "Setup"), "Setup\n\n```\n# code\n```"),
        (("End",), "End\n\nlast"),
    ]


def test_markdown_is_read_without_marks_comments_and_addresses(parse: Parse) -> None:
    text = (
        "See **the** [manual](http://a.example/b) &amp; <b>more</b>.\n\n<!-- not seen -->\n\n"
        "<details><summary>More</summary>\nInside.\n</details>"
    )
    assert sections(parse(text, MARKDOWN)) == [((), "See the manual & more.\n\nMore\n\nInside.")]


def test_front_matter_of_markdown_is_about_the_document_and_not_in_it(parse: Parse) -> None:
    content = parse('---\ntitle: "A title"\ntags: [x]\n---\nText', MARKDOWN)
    assert content.metadata == {"title": "A title"}
    assert sections(content) == [((), "Text")]


def test_html_gives_what_a_reader_sees(parse: Parse) -> None:
    page = """<html><head><title>A page</title><style>p{}</style></head><body><nav>Menu</nav>
    <h1>First <em>part</em></h1><p>One   <b>bold</b>
    word<br>and more</p><script>x()</script><p hidden>secret</p>
    <h2>Inner</h2><pre>a
      b</pre><table><tr><th>k</th><td>v</td></tr></table><template>no</template></body></html>"""
    content = parse(page, HTML)
    assert content.metadata == {"title": "A page"}
    assert sections(content) == [
        (("First part",), "First part\n\nOne bold word\nand more"),
        (("First part", "Inner"), "Inner\n\na\nb\n\nk | v"),
    ]


@pytest.mark.parametrize(
    "data",
    [
        f"<meta charset=windows-1251><p>{RUSSIAN}".encode("cp1251"),
        f"<p>{RUSSIAN}".encode("cp1251"),
        f"<p>{RUSSIAN}".encode(),
        codecs.BOM_UTF16_BE + f"<meta charset=latin1><p>{RUSSIAN}".encode("utf-16-be"),
    ],
)
def test_html_is_decoded_by_mark_then_declaration_then_look(parse: Parse, data: bytes) -> None:
    assert parse(data, HTML).blocks[0].text == RUSSIAN.replace("\n", " ").strip()


def test_an_encoding_that_is_none_is_no_trouble(parse: Parse) -> None:
    assert sections(parse(b"<meta charset=zip><p>text", HTML)) == [((), "text")]


def test_html_nested_deeper_than_python_recurses_is_read(parse: Parse) -> None:
    assert sections(parse("<div>" * 3000 + "deep", HTML)) == [((), "deep")]


@pytest.mark.parametrize("text", ["Price: £5", "½ cup", "3 × 4", "£5 café", "Windows™ and “quotes”"])
def test_a_few_western_signs_are_read_as_western(text: str) -> None:
    assert decode(text.encode("cp1252")) == text


def test_a_replacement_character_that_was_there_already_stays_what_it_is() -> None:
    assert decode((text := "M\ufffdller says grüß Gott, and wor\ufffdd").encode()) == text


def test_what_is_in_a_line_of_html_does_not_break_it(parse: Parse) -> None:
    data = "<h2>Chapter <!-- -->1<!-- -->: Foo <img src=x></h2><p>Price: <!-- -->5<!-- --> it&shy;ems</p>"
    heading = "Chapter 1: Foo"
    assert sections(parse(data, HTML)) == [((heading,), f"{heading}\n\nPrice: 5 items")]


def test_a_heading_that_is_a_button_is_a_heading(parse: Parse) -> None:
    data = "<h2><button>Title</button></h2><p>Text</p><button>Buy</button>"
    assert sections(parse(data, HTML)) == [(("Title",), "Title\n\nText")]


def test_latin_1_in_html_is_read_as_browsers_read_it(parse: Parse) -> None:
    data = b"<meta charset=iso-8859-1><p>\x93caf\xe9\x94"
    assert sections(parse(data, HTML)) == [((), "“café”")]


@pytest.mark.parametrize("sign", ["&shy;", "<wbr>", "&#8203;", "\u2060", "\ufeff"])
def test_what_has_no_width_parts_no_word(parse: Parse, sign: str) -> None:
    assert sections(parse(f"<p>be{sign}side</p>", HTML)) == [((), "beside")]


def test_joiners_that_emoji_and_scripts_need_stay(parse: Parse) -> None:
    text = "\U0001f469\u200d\U0001f52c می\u200cخواهم"
    assert sections(parse(text, PLAIN)) == [((), text)]


@pytest.mark.parametrize(
    "head",
    [
        "<script>var s='<meta charset=\"utf-16\">';</script><meta charset=windows-1251>",
        "<!-- <meta charset=koi8-r> --><meta charset=windows-1251>",
        "<meta charset=utf-16>",
        "<meta http-equiv=content-type content='text/html; charset=cp1251'>",
    ],
)
def test_an_encoding_is_believed_where_it_is_declared_and_can_be_true(parse: Parse, head: str) -> None:
    page = f"<html><head>{head}</head><body><p>{RUSSIAN}</p></body></html>".encode("cp1251")
    assert parse(page, HTML).blocks[0].text == RUSSIAN.replace("\n", " ").strip()


def test_a_script_that_closes_itself_in_xhtml_hides_nothing(parse: Parse) -> None:
    page = '<html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head><body><script src="x"/><p>Text'
    assert sections(parse(page, HTML)) == [((), "Text")]


def test_a_heading_may_contain_blocks(parse: Parse) -> None:
    assert sections(parse("<h2><div>Tide</div><div>tables</div></h2><p>Text</p>", HTML)) == [
        (("Tide tables",), "Tide tables\n\nText")
    ]


@pytest.mark.parametrize(
    "hidden",
    [
        "<noscript>x</noscript>",
        "<p style='color:red; display: none'>x</p>",
        "<ul role=navigation><li>x</ul>",
        "<template><p>x</p></template>",
    ],
)
def test_what_a_page_does_not_show_is_not_read(parse: Parse, hidden: str) -> None:
    assert sections(parse(f"<p>Text</p>{hidden}", HTML)) == [((), "Text")]


def test_a_table_of_a_page_knows_its_columns(parse: Parse) -> None:
    page = "<table><tr><th>Port<th>Depth</tr><tr><td rowspan=2>Arica<td>9 m</tr><tr><td>11 m</tr></table>"
    content = parse(page, HTML)
    assert [(block.columns, block.text) for block in content.blocks] == [
        ("Port | Depth", "Arica | 9 m\nArica | 11 m")
    ]


def test_signs_of_symbol_fonts_are_what_they_show(parse: Parse) -> None:
    assert sections(parse("\uf0b7 a \uf02b b", PLAIN)) == [((), "• a + b")]
