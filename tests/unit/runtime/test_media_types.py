import codecs
import zipfile
from io import BytesIO

import pytest

from services.runtime.media_types import (
    CSV,
    HTML,
    JSON,
    MAIL,
    MARKDOWN,
    PDF,
    PLAIN,
    RTF,
    SUPPORTED,
    XML,
    detect,
)
from tests.support import documents

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x01\x00\x00\x00\x01\x00\x08\x06\x00\x00\x00"
ZIP = b"PK\x03\x04\x14\x00\x00\x00\x08\x00" + bytes(range(256))


def archive(**members: str) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, text in members.items():
            file.writestr(name, text)
    return out.getvalue()


@pytest.mark.parametrize(
    ("head", "filename", "expected"),
    [
        (documents.pdf("Text"), "a.txt", PDF),
        (b"junk " * 200 + documents.pdf("Text"), "a", PDF),
        (documents.pdf("Text").partition(b"\n")[2], "a", PDF),
        (b"%1.4\n" + documents.pdf("Text").partition(b"\n")[2], "a", PDF),
        (bytes(5000) + documents.pdf("Text"), "a", PDF),
        (b"<!DOCTYPE html><title>x</title>", "a.txt", HTML),
        (b"\xef\xbb\xbf\n<!-- made by hand -->\n<HTML>", "a.md", HTML),
        (b"<p>A fragment.</p>", "fragment", HTML),
        (b'<div align="center">\n\n# Title', "README.md", MARKDOWN),
        (b"# Title", "README.MD", MARKDOWN),
        (b"# Title", "notes.txt", PLAIN),
        (b"a;b\n1;2\n", "table.csv", CSV),
        (b"One line; and no table.\nNor this.\nNor that.\n", "table.csv", PLAIN),
        (b"a,b,c\n" * 4, "report.pdf", CSV),
        (b'{"a": [1]}', "report.pdf", JSON),
        (b"[1] A reference.", "references.txt", PLAIN),
        (b"<?xml version='1.0'?><a/>", "a.txt", XML),
        (b"<a>text</a>", "a.xml", XML),
        (b"Subject: x\nTo: y\nFrom: z\n\nText", "a.txt", MAIL),
        (b"Subject: what I am about to say\n\nText", "a.txt", PLAIN),
        (b"import os\n\nprint(os.sep, 1, 2)\n", "tool.py", PLAIN),
        (b"no markup at all", "page.html", HTML),
        (b"", "empty.pdf", PLAIN),
        (PNG, "picture.pdf", "image/png"),
        (b"{\\rtf1\\ansi text}", "a.txt", RTF),
        (b"<?xml version='1.0'?><svg xmlns='x'/>", "a.txt", "image/svg+xml"),
        (bytes(range(256)) * 16, "data.txt", "application/octet-stream"),
    ],
)
def test_content_decides_and_the_name_only_among_kinds_of_text(
    head: bytes, filename: str, expected: str
) -> None:
    assert detect(head, filename) == expected


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"mimetype": "application/epub+zip", "a": "x"}, "application/epub+zip"),
        ({"[Content_Types].xml": "", "xl/workbook.xml": ""}, "spreadsheetml.sheet"),
        ({"[Content_Types].xml": "", "ppt/presentation.xml": ""}, "presentationml.presentation"),
        ({"notes.txt": "x"}, "application/zip"),
        ({"mimetype": "text/plain"}, "application/zip"),
    ],
)
def test_an_archive_is_what_its_members_say(members: dict[str, str], expected: str) -> None:
    assert detect(archive(**members), "a.pdf").endswith(expected)


def test_an_archive_is_not_taken_for_what_it_is_called() -> None:
    assert detect(ZIP, "report.pdf") not in SUPPORTED


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "cp1251"])
def test_text_is_text_in_any_encoding_whatever_its_name(encoding: str) -> None:
    text = "Some words, and a few more: слова.\n" * 3
    assert detect(text.encode(encoding), "a.pdf") == PLAIN


def test_cyrillic_utf_16_without_a_mark_is_text() -> None:
    assert detect("Все люди рождаются свободными и равными.\n".encode("utf-16-be"), "a.bin") == PLAIN


def test_marked_utf_16_is_text() -> None:
    assert detect(codecs.BOM_UTF16_LE + "漢字かな".encode("utf-16-le"), "a") == PLAIN


def test_a_head_that_ends_within_a_character_is_still_utf_8() -> None:
    assert detect("Grüße".encode()[:3], "a") == PLAIN


@pytest.mark.parametrize("unit", [b"<!--", b"<!-- a -->", b"<", b"<?xml ", b" ", b"<!doctype svg "])
@pytest.mark.timeout(5)
def test_markup_made_to_be_slow_is_told_at_once(unit: bytes) -> None:
    assert detect(unit * (65_536 // len(unit)), "a") in SUPPORTED | {"image/svg+xml"}
