"""Media types, told by a file's bytes. Its name is believed only among kinds of text."""

import re
from pathlib import PurePath

import puremagic

from services.runtime.containers import OLE_MARK, ZIP_MARK, ole_type, zip_type
from services.runtime.kinds import (
    CSV,
    DOCX,
    EPUB,
    HTML,
    JSON,
    JSON_LINES,
    KINDS,
    MAIL,
    MARKDOWN,
    ODP,
    ODS,
    ODT,
    PDF,
    PLAIN,
    PPTX,
    RTF,
    SUPPORTED,
    TSV,
    UNKNOWN,
    XLS,
    XLSX,
    XML,
    spoken,
)
from services.runtime.text_encoding import CONTROLS, CONTROLS_IN_TEXT, unicode_encoding
from services.runtime.text_kinds import text_type

__all__ = [
    "CSV", "DOCX", "EPUB", "HEAD_BYTES", "HTML", "JSON", "JSON_LINES", "KINDS", "MAIL", "MARKDOWN", "ODP", "ODS",
    "ODT", "PDF", "PLAIN", "PPTX", "RTF", "SUPPORTED", "TSV", "UNKNOWN", "XLS", "XLSX", "XML", "detect", "spoken",
]  # fmt: skip

HEAD_BYTES = 65_536
"""Bytes of a file's beginning that ``detect`` wants to see."""

_PDF_MARK_WITHIN = 1024
"""The bytes in which readers look for ``%PDF-`` (PDF Reference 1.7, implementation note 13)."""

_PDF_OBJECT = re.compile(rb"(?:\s|%[^\r\n]{0,200}[\r\n]){0,20}\d{1,7} \d{1,5} obj\b")
"""The beginning of a PDF that has lost its mark, or has a wrong one."""


def detect(head: bytes, filename: str) -> str:
    """Return the media type of a file, told by its first bytes (``HEAD_BYTES`` of them, or all).

    An empty file is ``text/plain``: there is nothing that says otherwise. What is unknown is
    ``application/octet-stream``.
    """
    if b"%PDF-" in head[:_PDF_MARK_WITHIN] or _PDF_OBJECT.match(head):
        return PDF
    ending = PurePath(filename.lower()).suffix
    encoding = unicode_encoding(head)
    if encoding is None and not _is_8_bit_text(head):
        return _binary_type(head, ending)
    text = head.decode(encoding or "latin-1", errors="replace")
    return text_type(text, ending, is_whole=len(head) < HEAD_BYTES)


def _is_8_bit_text(head: bytes) -> bool:
    """Return whether bytes may be text in an encoding before Unicode: no NUL, hardly a control character."""
    controls = len(head) - len(head.translate(None, delete=CONTROLS))
    return b"\0" not in head and controls <= len(head) * CONTROLS_IN_TEXT


def _binary_type(head: bytes, ending: str) -> str:
    if head.startswith(ZIP_MARK):
        return zip_type(head, ending)
    if head.startswith(OLE_MARK):
        return ole_type(head, ending)
    try:
        matches = puremagic.magic_string(head)
    except (puremagic.PureError, ValueError):
        return UNKNOWN
    # puremagic also looks at the end of what it is given, and a head has no end.
    types = (match.mime_type for match in matches if match.offset >= 0 and len(match.byte_match) >= 2)
    known = (kind for kind in types if kind and kind not in SUPPORTED and not kind.startswith("text/"))
    found = next(known, UNKNOWN)
    return PDF if found == UNKNOWN and b"%PDF-" in head else found
