"""Media types, told by a file's bytes. Its name is believed only among kinds of text."""

import re
from pathlib import PurePath

import puremagic

from services.runtime.text_encoding import CONTROLS, CONTROLS_IN_TEXT, unicode_encoding

PDF = "application/pdf"
HTML = "text/html"
MARKDOWN = "text/markdown"
PLAIN = "text/plain"
UNKNOWN = "application/octet-stream"

SUPPORTED: frozenset[str] = frozenset({PDF, HTML, MARKDOWN, PLAIN})
"""Media types that the parser reads."""

HEAD_BYTES = 65_536
"""Bytes of a file's beginning that ``detect`` wants to see."""

_PDF_MARK_WITHIN = 1024
"""The bytes in which readers look for ``%PDF-`` (PDF Reference 1.7, implementation note 13)."""

_EXTENSIONS = {
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".mdown": MARKDOWN,
    ".html": HTML,
    ".htm": HTML,
    ".xhtml": HTML,
    ".txt": PLAIN,
}
_HTML_DOCUMENT = re.compile(r"<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_HTML_FRAGMENT = re.compile(
    r"<(?:meta|title|script|style|link|div|table|section|article|main|h1|p|ul|ol)\b[^>]{0,1000}>",
    re.IGNORECASE,
)
_NOT_FOR_READERS = (
    (re.compile(r"\{\\rtf"), "application/rtf"),
    (re.compile(r"%!PS"), "application/postscript"),
    (re.compile(r"<(?:!doctype\s+)?svg\b", re.IGNORECASE), "image/svg+xml"),
)
"""Formats written in letters that are no text to read or to search."""

_OOXML = "application/vnd.openxmlformats-officedocument"
_OFFICE_MEMBERS = {
    b"word/": f"{_OOXML}.wordprocessingml.document",
    b"xl/": f"{_OOXML}.spreadsheetml.sheet",
    b"ppt/": f"{_OOXML}.presentationml.presentation",
}

_LONGEST_GAP = 1024

_PREAMBLES = (("<!--", "-->"), ("<?", "?>"))
"""Begin and end of all that may stand before the first tag."""


def detect(head: bytes, filename: str) -> str:
    """Return the media type of a file, told by its first bytes (``HEAD_BYTES`` of them, or all).

    An empty file is ``text/plain``: there is nothing that says otherwise. What is unknown is
    ``application/octet-stream``.
    """
    if b"%PDF-" in head[:_PDF_MARK_WITHIN]:
        return PDF
    encoding = unicode_encoding(head)
    if encoding is None and not _is_8_bit_text(head):
        return _binary_type(head)
    return _text_type(head.decode(encoding or "latin-1", errors="replace"), filename)


def _is_8_bit_text(head: bytes) -> bool:
    """Return whether bytes may be text in an encoding before Unicode: no NUL, hardly a control character."""
    controls = len(head) - len(head.translate(None, delete=CONTROLS))
    return b"\0" not in head and controls <= len(head) * CONTROLS_IN_TEXT


def _text_type(text: str, filename: str) -> str:
    start = _first_tag(text)
    for pattern, media_type in _NOT_FOR_READERS:
        if pattern.match(text, start):
            return media_type
    if _HTML_DOCUMENT.match(text, start):
        return HTML
    by_name = _EXTENSIONS.get(PurePath(filename.lower()).suffix)
    # A README.md often begins with a <div>, so a fragment of HTML is told by its name first.
    return by_name or (HTML if _HTML_FRAGMENT.match(text, start) else PLAIN)


def _first_tag(text: str) -> int:
    """Return the offset at which a text begins, but for space, comments and processing instructions."""
    start = 0
    while True:
        start += len(text[start : start + _LONGEST_GAP]) - len(text[start : start + _LONGEST_GAP].lstrip())
        end = next((end for begin, end in _PREAMBLES if text.startswith(begin, start)), None)
        if end is None:
            return start
        stop = text.find(end, start)
        if stop < 0:
            return start
        start = stop + len(end)


def _archive_type(head: bytes) -> str:
    """Return the type of what a zip archive contains, told by its first members."""
    # OpenDocument and EPUB begin with an uncompressed member that is the media type (OCF 3.3, 4.3).
    if declared := re.match(rb"PK\x03\x04.{26}mimetype([a-z0-9.+/-]{3,100})(?=PK)", head, re.DOTALL):
        kind = declared[1].decode()
        return "application/zip" if kind in SUPPORTED else kind
    return next((kind for member, kind in _OFFICE_MEMBERS.items() if member in head), "application/zip")


def _binary_type(head: bytes) -> str:
    if head.startswith(b"PK\x03\x04"):
        return _archive_type(head)
    try:
        matches = puremagic.magic_string(head)
    except (puremagic.PureError, ValueError):
        return UNKNOWN
    # puremagic also looks at the end of what it is given, and a head has no end.
    types = (match.mime_type for match in matches if match.offset >= 0 and len(match.byte_match) >= 2)
    known = (kind for kind in types if kind and kind not in SUPPORTED and not kind.startswith("text/"))
    return next(known, UNKNOWN)
