"""Small documents for tests, good ones and damaged ones, made on the spot."""

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import pypdf

_LINE_HEIGHT = 14

SLOW_HTML = b"<!doctype html><p>" + b"<div>" * 240_000
"""Takes minutes on any machine: the HTML parser's time grows with the square of the depth (60,000: 4 s)."""


@dataclass(frozen=True)
class Bookmark:
    """An entry of a PDF's outline: a title and a page, counted from 1, under another title or none."""

    title: str
    page: int
    under: str | None = None


def pdf(
    *pages: str, title: str | None = None, author: str | None = None, outline: Sequence[Bookmark] = ()
) -> bytes:
    """A PDF with these texts (Latin letters, lines broken by LF), one on each page."""
    plain = _assemble([_text_stream(page) for page in pages])
    if not (title or author or outline):
        return plain
    writer = pypdf.PdfWriter(clone_from=BytesIO(plain))
    about = {"/Title": title, "/Author": author}
    writer.add_metadata({key: text for key, text in about.items() if text})
    entries: dict[str | None, pypdf.generic.IndirectObject | None] = {None: None}
    for bookmark in outline:
        entries[bookmark.title] = writer.add_outline_item(
            title=bookmark.title, page_number=bookmark.page - 1, parent=entries[bookmark.under]
        )
    return _written(writer)


def scanned_pdf(pages: int = 1) -> bytes:
    """Pages with something drawn on them and no letter, as a scanner makes them."""
    return _assemble([b"0.5 g 72 72 400 600 re f"] * pages)


def encrypted_pdf(*pages: str, password: str) -> bytes:
    """A PDF encrypted with AES-256; with an empty password, readers open it without asking."""
    writer = pypdf.PdfWriter(clone_from=BytesIO(pdf(*pages)))
    writer.encrypt(user_password=password, owner_password="owner", algorithm="AES-256")
    return _written(writer)


def truncated_pdf(*pages: str, keep: float = 0.5) -> bytes:
    """The first part of a PDF, ``keep`` of its bytes."""
    whole = pdf(*pages)
    return whole[: int(len(whole) * keep)]


def pdf_with_broken_page(*pages: str, broken: int) -> bytes:
    """A PDF in which the object of one page, counted from 1, is not a page."""
    return _assemble([_text_stream(page) for page in pages], broken=broken)


def pdf_that_declares(page_count: int, *pages: str) -> bytes:
    """A PDF with these pages that says it had ``page_count``."""
    return _assemble([_text_stream(page) for page in pages], declared=page_count)


def cyclic_pdf() -> bytes:
    """A PDF whose page tree is its own child."""
    return _file([b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[2 0 R]/Count 1>>"])


def bomb_pdf(megabytes: int) -> bytes:
    """A small PDF whose only page inflates to ``megabytes`` of operators."""
    packer = zlib.compressobj(9)
    million = b"1 0 0 1 0 0 cm\n" * 66_667
    packed = b"".join(packer.compress(million) for _ in range(megabytes)) + packer.flush()
    stream = b"<</Filter/FlateDecode/Length %d>>stream\n%s\nendstream" % (len(packed), packed)
    return _file([*_skeleton(1, 1), _page(5, kids=2), stream])


def pdf_with_endless_pages(pages: Sequence[str]) -> bytes:
    """A small PDF with these texts on its pages; an empty one is a page that no engine reads within seconds.

    30 MB of operators that show a letter each: PDFium takes 3 s, or 700 MB, and pypdf minutes.
    """
    letters = b"BT /F1 9 Tf " + b"(w)Tj " * 100_000
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(letters) for _ in range(50)) + packer.flush()
    endless = b"<</Filter/FlateDecode/Length %d>>stream\n%s\nendstream" % (len(packed), packed)
    whole = [endless if not page else _stream(_text_stream(page)) for page in pages]
    objects = _skeleton(len(pages), len(pages))
    for number, stream in enumerate(whole, start=1):
        objects += [_page(3 + 2 * number, kids=2), stream]
    return _file(objects)


def zip_bomb(member: str, *, megabytes: int = 30) -> bytes:
    """An archive with one member, which is a thousand times as large as the archive."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr(member, bytes(megabytes * 1024 * 1024))
    return out.getvalue()


def _assemble(streams: Sequence[bytes], *, broken: int | None = None, declared: int | None = None) -> bytes:
    objects = _skeleton(len(streams), len(streams) if declared is None else declared)
    for number, stream in enumerate(streams, start=1):
        is_broken = number == broken
        objects.append(b"(not a page)" if is_broken else _page(3 + 2 * number, kids=2))
        objects.append(_stream(stream))
    return _file(objects)


def _skeleton(pages: int, declared: int) -> list[bytes]:
    """Objects 1 to 3; pages are objects 4, 6, 8 …, their streams 5, 7, 9 …"""
    kids = b" ".join(b"%d 0 R" % (4 + 2 * page) for page in range(pages))
    return [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, declared),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    ]


def _page(contents: int, kids: int) -> bytes:
    return (
        b"<</Type/Page/Parent %d 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F1 3 0 R>>>>/Contents %d 0 R>>"
        % (kids, contents)
    )


def _stream(content: bytes) -> bytes:
    return b"<</Length %d>>stream\n%s\nendstream" % (len(content), content)


def _text_stream(text: str) -> bytes:
    lines = (
        text.encode("cp1252").replace(b"\\", rb"\\").replace(b"(", rb"\(").replace(b")", rb"\)").split(b"\n")
    )
    shown = b" T*\n".join(b"(%s) Tj" % line for line in lines)
    return b"BT /F1 10 Tf %d TL 50 750 Td\n%s\nET" % (_LINE_HEIGHT, shown)


def _file(objects: Sequence[bytes]) -> bytes:
    out = bytearray(b"%PDF-1.7\n")
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)


def _written(writer: pypdf.PdfWriter) -> bytes:
    out = BytesIO()
    writer.write(out)
    return out.getvalue()
