import asyncio
import time
import zlib
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest

from services.runtime.media_types import (
    CSV,
    DOCX,
    EPUB,
    HTML,
    JSON,
    MAIL,
    MARKDOWN,
    ODT,
    PDF,
    PLAIN,
    PPTX,
    RTF,
    XLSX,
    XML,
)
from tests.fuzz.mutations import mutated_pdfs
from tests.fuzz.parsing import outcome, parse_all
from tests.support import documents, office
from tests.support.sandbox import MEGABYTE, ignore, sandbox

pytestmark = pytest.mark.anyio


def packed(content: bytes, times: int) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(content) for _ in range(times)) + packer.flush()


def pdf_of_streams(streams: list[bytes]) -> bytes:
    """Pages whose content is already packed."""
    kids = b" ".join(b"%d 0 R" % (4 + 2 * page) for page in range(len(streams)))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, len(streams)),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    for number, stream in enumerate(streams):
        page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Resources<</Font<</F 3 0 R>>>>/Contents %d 0 R>>"
        objects.append(page % (5 + 2 * number))
        objects.append(b"<</Filter/FlateDecode/Length %d>>stream\n%s\nendstream" % (len(stream), stream))
    return (
        b"%PDF-1.7\n"
        + b"".join(b"%d 0 obj\n%s\nendobj\n" % pair for pair in enumerate(objects, 1))
        + (b"trailer\n<</Root 1 0 R/Size %d>>\n%%%%EOF\n" % (len(objects) + 1))
    )


ENDLESS = packed(b"BT /F 9 Tf (word) Tj ET\n" * 1000, 150)
"""One page of 3.6 MB of operators: nothing alone, for ever a hundred times."""

ENTITIES = (
    b'<?xml version="1.0"?><!DOCTYPE html [<!ENTITY e0 "word ">'
    + b"".join(b'<!ENTITY e%d "%s">' % (n, b"&e%d;" % (n - 1) * 10) for n in range(1, 12))
    + b'<!ENTITY file SYSTEM "file:///etc/passwd">]><html><body><p>Before. &e11; &file; After.</p></body></html>'
)
"""500 GB of words, and a file of the machine's, for a reader that expands entities."""

ENTITIES_OF_XML = (
    ENTITIES.replace(b"html", b"w:document").replace(b"<body>", b"<w:body>").replace(b"</body>", b"</w:body>")
)

DEEP = b"<w:document><w:body>" + b"<w:tbl>" * 100_000
"""Tables in tables, further than anything recurses."""


def bomb(name: str, unpacked_mb: int, text: bytes = b"<w:p><w:r><w:t>word</w:t></w:r></w:p>") -> bytes:
    """An archive whose one member unpacks to so much of the same."""
    content = text * (unpacked_mb * MEGABYTE // len(text))
    return office.archive({"_rels/.rels": "", name: content})


def sheet_with_a_far_corner() -> bytes:
    """Two cells, of which the second makes a sheet of 16 billion."""
    far = office.xlsx({"Far": [["a"]]})
    with ZipFile(BytesIO(far)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    row = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    members["xl/worksheets/s1.xml"] = members["xl/worksheets/s1.xml"].replace(b"</sheetData>", row)
    return office.archive(dict(members))


NESTED_MAIL = b"".join(
    b"From: a@b.example\nContent-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(2000)
)

HOSTILE_KINDS = {
    "a document that unpacks to more than is read": (bomb("word/document.xml", 120), DOCX),
    "slides whose parts are one that is a bomb": (bomb("ppt/presentation.xml", 120), PPTX),
    "entities in the entities of a document": (office.archive({"word/document.xml": ENTITIES_OF_XML}), DOCX),
    "tables in tables": (office.archive({"word/document.xml": DEEP}), DOCX),
    "a sheet with a far corner": (sheet_with_a_far_corner(), XLSX),
    "a book whose chapters are bombs": (bomb("O/c.xhtml", 120, b"<p>word</p>"), EPUB),
    "an open document of nothing but spaces": (
        office.open_document("<text:p>" + "<text:s text:c='999999999'/>" * 20_000 + "end</text:p>"),
        ODT,
    ),
    "mail in mail": (NESTED_MAIL, MAIL),
    "groups in groups": (b"{\\rtf1" + b"{" * 500_000 + b"text", RTF),
    "lists in lists": (b"[" * 500_000, JSON),
    "entities of any XML": (ENTITIES.replace(b"html", b"data"), XML),
    "quotations in quotations": (b">" * 100_000 + b" text", MARKDOWN),
    "a line of values without end": (b"value," * 3_000_000, CSV),
}
HOSTILE = {
    **HOSTILE_KINDS,
    "100 pages that are each just bearable": (pdf_of_streams([ENDLESS] * 100), PDF),
    "a page that inflates to a gigabyte": (pdf_of_streams([packed(b" " * 1_000_000, 1000)]), PDF),
    "100,000 pages": (documents.pdf_that_declares(100_000, "One."), PDF),
    "100,000 pages that are there": (pdf_of_streams([b""] * 100_000), PDF),
    "a page tree that is its own child": (documents.cyclic_pdf(), PDF),
    "arrays in arrays": (b"%PDF-1.7\n1 0 obj\n" + b"[" * 200_000 + b"\nendobj\ntrailer<</Root 1 0 R>>", PDF),
    "elements in elements": (b"<div>" * 300_000, HTML),
    "entities in entities": (ENTITIES, HTML),
    "a line without end": (b"word" * 8_000_000, PLAIN),
}


ENDS = {"parsed", "parse_timeout", "parse_memory", "too_large", "corrupt", "no_text_layer", "empty_document"}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_file_ends_within_its_limits_and_the_next_is_parsed(
    tmp_path: Path, name: str
) -> None:
    content, media_type = HOSTILE[name]
    hostile, good = tmp_path / "hostile", tmp_path / "good"
    hostile.write_bytes(content)
    good.write_bytes(documents.pdf("A page that is read afterwards."))
    async with sandbox(processes=1, seconds=2.5, memory_mb=256) as box:
        began = time.monotonic()
        became = await outcome(box, hostile, media_type)
        took = time.monotonic() - began
        assert await outcome(box, good) == "parsed"
    assert became in ENDS
    assert took < 8


async def test_nul_bytes_and_lone_surrogates_never_reach_a_chunk(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes(b"Before\x00after. \xed\xa0\x80 \xff\xfe and &#xD800; &#0; the end.")

    async with sandbox(processes=1) as box:
        for media_type in (PLAIN, HTML):
            parsed = await box.parse(path, media_type, ignore)
            text = "".join(chunk.text for chunk in parsed.chunks)
            assert "\x00" not in text
            assert text == text.encode("utf-8", "strict").decode()
            assert "after" in text


async def test_entities_that_a_document_declares_are_never_expanded(tmp_path: Path) -> None:
    path = tmp_path / "page.xhtml"
    path.write_bytes(ENTITIES)
    async with sandbox(processes=1) as box:
        parsed = await box.parse(path, HTML, ignore)
    text = " ".join(chunk.text for chunk in parsed.chunks)
    assert "Before." in text
    assert "After." in text
    assert text.count("word") < 2
    assert "root:" not in text


async def test_mutated_pdfs_hang_nothing_and_crash_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with sandbox(processes=2, memory_mb=512, seconds=5) as box:
        figures = await parse_all(box, mutated_pdfs(40, seed=7), tmp_path)
        await asyncio.sleep(0)
    with capsys.disabled():
        print(f"\nmutated PDFs: {figures}")  # noqa: T201 - the figures
    assert sum(figures.outcomes.values()) == 40
    assert figures.outcomes["internal"] == 0
    assert figures.slowest < 15


async def test_a_workers_own_memory_stays_flat_over_a_thousand_documents(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = documents.pdf("One page of many documents. " + "Some words on it. " * 40)
    async with sandbox(processes=2, recycled_after=200) as box:
        await parse_all(box, [content] * 50, tmp_path)
        figures = await parse_all(box, [content] * 1000, tmp_path)
    with capsys.disabled():
        print(f"\nthe same document again and again: {figures}")  # noqa: T201 - the figures
    assert figures.outcomes == {"parsed": 1000}
    assert figures.own_growth_mb < 8
