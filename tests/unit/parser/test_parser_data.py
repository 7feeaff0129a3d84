import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from services.parser.chunking.chunker import TARGET_TOKENS, Chunker
from services.parser.formats import read
from services.parser.formats.reading import Reading
from services.parser.parsed_document import Content
from services.parser.tokenizer import ModelTokenizer
from services.runtime.bundled_model import BUNDLED_MODEL
from services.runtime.media_types import CSV, HTML, JSON, JSON_LINES, MAIL, MARKDOWN, RTF, TSV, XML, detect

Parse = Callable[[str | bytes, str], Content]

PICTURE = base64.b64encode(bytes(range(256)) * 4).decode()
MAIL_HEAD = "From: Ann <ann@example.com>\nTo: bob@example.com\nDate: Fri, 1 Mar 2024 10:00:00 +0000\n"


@pytest.fixture
def parse(tmp_path: Path) -> Parse:
    def parse_(data: str | bytes, expected: str) -> Content:
        path = tmp_path / "document"
        content = data.encode() if isinstance(data, str) else data
        path.write_bytes(content)
        assert (
            detect(content, "document.pdf" if expected not in {MARKDOWN, CSV} else _NAMES[expected])
            == expected
        )
        return read(path, expected, Reading())

    return parse_


_NAMES = {MARKDOWN: "a.md", CSV: "a.csv"}


def told(content: Content) -> list[tuple[tuple[str, ...], str, str]]:
    return [(block.headings, block.columns, block.text) for block in content.blocks]


def test_the_rows_of_a_csv_know_their_columns_whatever_parts_them(parse: Parse) -> None:
    expected = [((), "Port | Duty", 'Arica | 12\nIquique | "3", or 4')]
    assert told(parse('Port;Duty\nArica;12\nIquique;"""3"", or 4"\n', CSV)) == expected
    tabs = "Port\tDuty\tSince\n" + "Arica\t12\tMay\n" * 4
    assert told(parse(tabs, TSV))[0][1] == "Port | Duty | Since"


def test_json_is_read_as_names_and_values(parse: Parse) -> None:
    value = {
        "title": "Tide table",
        "ports": [{"name": "Arica", "depth": 9}, {"name": "Iquique", "depth": 11}],
    }
    content = parse(json.dumps({**value, "pixels": f"data:image/png;base64,{PICTURE}"}), JSON)
    assert content.metadata == {"title": "Tide table"}
    assert ("name | depth", "Arica | 9\nIquique | 11") in [part[1:] for part in told(content)]
    assert PICTURE[:40] not in str(content)


def test_records_in_lines_of_json_are_a_table(parse: Parse) -> None:
    assert told(parse('{"a": 1, "b": "x"}\n{"a": 2, "b": "y"}\n', JSON_LINES)) == [
        ((), "a | b", "1 | x\n2 | y")
    ]


def test_a_notebook_is_its_prose_its_code_and_what_that_printed(parse: Parse) -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Study\n", "Some *words*."]},
        {
            "cell_type": "code",
            "source": "print(1)",
            "outputs": [{"data": {"text/plain": "<plot>", "image/png": PICTURE}}],
        },
    ]
    content = parse(json.dumps({"cells": cells, "nbformat": 4}), JSON)
    assert told(content) == [(("Study",), "", "Study\n\nSome words.\n\n```\nprint(1)\n```\n\n<plot>")]


def test_xml_is_its_texts_beside_their_names(parse: Parse) -> None:
    source = '<?xml version="1.0"?><dues><port code="ARI"><name>Arica</name><depth>9 m</depth></port></dues>'
    assert told(parse(source, XML)) == [((), "", "port code=ARI\n\nname: Arica\n\ndepth: 9 m")]


def test_xml_in_the_encoding_that_it_declares_is_read(parse: Parse) -> None:
    source = '<?xml version="1.0" encoding="windows-1251"?><a><b>Все люди рождаются свободными</b></a>'
    assert "Все люди рождаются" in parse(source.encode("cp1251"), XML).blocks[0].text


def test_a_mail_begins_with_its_subject_people_and_date(parse: Parse) -> None:
    source = (
        f"{MAIL_HEAD}Subject: =?utf-8?b?{base64.b64encode('Grüße'.encode()).decode()}?=\n\nDear Bob,\nyes."
    )
    content = parse(source, MAIL)
    assert content.metadata["title"] == "Grüße"
    assert content.blocks[0].text == (
        "Subject: Grüße\nFrom: Ann <ann@example.com>\nTo: bob@example.com\n"
        "Date: Fri, 01 Mar 2024 10:00:00 +0000\n\nDear Bob,\nyes."
    )


def test_of_a_mail_in_two_forms_one_is_read_and_attachments_are_named(parse: Parse) -> None:
    source = f"""{MAIL_HEAD}Subject: Plans
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=outer

--outer
Content-Type: multipart/alternative; boundary=inner

--inner
Content-Type: text/plain

Plain words.
--inner
Content-Type: text/html

<h1>Plans</h1><p>Marked words.</p>
--inner--
--outer
Content-Type: image/png
Content-Disposition: attachment; filename=crane.png
Content-Transfer-Encoding: base64

{PICTURE}
--outer--
"""
    text = "\n".join(block.text for block in parse(source, MAIL).blocks)
    assert "Marked words." in text
    assert "Plain words." not in text
    assert text.endswith("Attachments: crane.png")
    assert PICTURE[:40] not in text


def test_rtf_is_its_text_and_the_rows_of_its_tables(parse: Parse) -> None:
    source = (
        r"{\rtf1\ansi\ansicpg1252{\info{\title Harbour}}{\fonttbl{\f0 Arial;}}Caf\'e9 \u1055?\par "
        r"\trowd Port\cell Duty\cell\row\trowd Arica\cell 12\cell\row\pard{\pict 89504e47"
        + "ab" * 200
        + r"}End\par}"
    )
    content = parse(source, RTF)
    assert content.metadata == {"title": "Harbour"}
    assert told(content) == [((), "", "Café П"), ((), "Port | Duty", "Arica | 12"), ((), "", "End")]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (f"Before\n\n![wiring of the relay](data:image/png;base64,{PICTURE})\n\nAfter", MARKDOWN),
        (
            f'<p>Before</p><p><img alt="wiring of the relay" src="data:image/png;base64,{PICTURE}"></p><p>After',
            HTML,
        ),
    ],
)
def test_a_pictures_text_stands_and_its_data_is_no_text(parse: Parse, source: str, expected: str) -> None:
    assert parse(source, expected).blocks[0].text == "Before\n\nwiring of the relay\n\nAfter"


def test_front_matter_gives_title_and_language(parse: Parse) -> None:
    assert parse("---\ntitle: Häfen\nlang: de\n---\nWorte", MARKDOWN).metadata == {
        "title": "Häfen",
        "language": "de",
    }


@pytest.fixture(scope="module")
def chunker() -> Chunker:
    return Chunker(ModelTokenizer.load(BUNDLED_MODEL))


def test_each_chunk_of_a_table_knows_its_columns_within_its_tokens(parse: Parse, chunker: Chunker) -> None:
    rows = "".join(f"| {n} | valve {n} | {n} bar | keep closed in winter |\n" for n in range(100))
    source = (
        f"# Valves\n\n| No. | Device | Pressure | Remark |\n|---|---|---|---|\n{rows}\nThe end of the list."
    )
    chunks = chunker.chunks(parse(source, MARKDOWN).blocks)
    of_the_table = [chunk for chunk in chunks if "winter" in chunk.text]
    assert len(of_the_table) > 5
    assert all("No. | Device | Pressure | Remark" in chunk.text for chunk in of_the_table)
    assert all(chunk.token_count <= TARGET_TOKENS for chunk in chunks)
    told_rows = [line for chunk in chunks for line in chunk.text.split("\n") if "winter" in line]
    assert told_rows == [f"{n} | valve {n} | {n} bar | keep closed in winter" for n in range(100)]


def test_where_names_of_columns_have_no_room_each_cell_has_its_own(parse: Parse, chunker: Chunker) -> None:
    names = [f"Measured quantity {chr(65 + n)}" for n in range(20)]
    source = ",".join(names) + "\n" + "\n".join(",".join(f"{row}{n}" for n in range(20)) for row in range(5))
    chunks = chunker.chunks(parse(source, CSV).blocks)
    assert "Measured quantity T: 419" in " ".join(chunk.text for chunk in chunks)
    assert all(chunk.token_count <= TARGET_TOKENS for chunk in chunks)
