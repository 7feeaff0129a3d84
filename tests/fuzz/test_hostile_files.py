import asyncio
import time
import zlib
from pathlib import Path

import pytest

from services.runtime.media_types import HTML, PDF, PLAIN
from tests.fuzz.mutations import mutated_pdfs
from tests.fuzz.parsing import outcome, parse_all
from tests.support import documents
from tests.support.sandbox import ignore, sandbox

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

HOSTILE = {
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
