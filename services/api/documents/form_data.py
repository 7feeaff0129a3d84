"""Splits a multipart/form-data body (RFC 7578) into its parts while it arrives, and never holds one whole.

It is our own since python-multipart (0.0.34) refuses every form with a folded header or a preamble.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from contracts.failures import StagecastError

MAX_HEAD_BYTES = 16 * 1024
"""Of one part."""
MAX_HEADS_BYTES = 64 * 1024
"""Of all parts together, with their boundaries."""
MAX_BOUNDARY_CHARACTERS = 70
"""RFC 2046, 5.1.1."""

_PARAMETER = re.compile(r';\s*([\w-]+\*?)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;"\s]*))')
_DISPOSITION = re.compile(rb"^content-disposition:\s*form-data\s*(;.*)", re.IGNORECASE | re.MULTILINE)
_FOLD = re.compile(rb"\r\n[ \t]+")
_CHARSETS = frozenset({"utf-8", "iso-8859-1"})


class MalformedForm(StagecastError):
    """A body that is no form, or goes beyond a bound; the sentence says which."""


@dataclass(frozen=True)
class PartHead:
    """The head of a part; name and filename may be missing."""

    name: str | None
    filename: str | None


@dataclass(frozen=True)
class PartEnd:
    """The end of a part."""


class FormParser:
    """Takes a body as it arrives. Raises MalformedForm for a ``Content-Type`` without a boundary."""

    def __init__(self, content_type: str) -> None:
        boundary = parameters(content_type).get("boundary", "")
        if not 0 < len(boundary) <= MAX_BOUNDARY_CHARACTERS:
            raise MalformedForm("The boundary of the form can't be read.")
        mark = b"\r\n--" + boundary.encode("latin-1")
        self._delimiter = re.compile(re.escape(mark) + rb"(--|\r\n)")
        self._held = len(mark) + 1  # what may turn out to be a delimiter
        self._buffer = bytearray(b"\r\n")  # the first delimiter stands at the very beginning
        self._heads_bytes = 0
        self._is_in_head = self._is_over = False

    def feed(self, data: bytes) -> Iterator[PartHead | bytes | PartEnd]:
        """Yield heads, pieces of what follows each, and ends, as far as they are certain. Raises MalformedForm.

        What comes before the first head is of the preamble, which means nothing.
        """
        self._buffer += data
        while not self._is_over:
            if self._is_in_head:
                if (head := self._take_head()) is None:
                    return
                yield head
            content, is_end = self._take_content()
            if content:
                yield content
            if not is_end:
                return
            yield PartEnd()

    def _take_head(self) -> PartHead | None:
        end = self._buffer.find(
            b"\r\n\r\n"
        )  # the first of which ends the delimiter where there are no headers
        size = end if end >= 0 else len(self._buffer)
        if size > MAX_HEAD_BYTES or self._heads_bytes + size > MAX_HEADS_BYTES:
            raise MalformedForm("A part of the form has a head that is too large.")
        if end < 0:
            return None
        head = _parse_head(bytes(self._buffer[:end]))
        del self._buffer[: end + 4]
        self._heads_bytes += size + self._held
        self._is_in_head = False
        return head

    def _take_content(self) -> tuple[bytes, bool]:
        delimiter = self._delimiter.search(self._buffer)
        end = delimiter.start() if delimiter else max(0, len(self._buffer) - self._held)
        content = bytes(memoryview(self._buffer)[:end])
        if delimiter:
            self._is_over = delimiter[1] == b"--"
            self._is_in_head = not self._is_over
            end = delimiter.start(1)
            del delimiter  # it holds on to the buffer, which could not be made shorter
        del self._buffer[:end]
        return content, self._is_in_head or self._is_over


def parameters(value: str) -> dict[str, str]:
    """Return the parameters of a header's value by name in lower case; of two of one name the first."""
    found: dict[str, str] = {}
    for name, quoted, token in _PARAMETER.findall(value):
        # Of backslashes these two alone: some browsers send a path of Windows as it is.
        found.setdefault(name.lower(), token or re.sub(r'\\(["\\])', r"\1", quoted))
    return found


def _parse_head(head: bytes) -> PartHead:
    disposition = _DISPOSITION.search(_FOLD.sub(b" ", head))
    given = parameters(disposition[1].decode(errors="replace")) if disposition else {}
    return PartHead(given.get("name"), _filename(given))


def _filename(given: dict[str, str]) -> str | None:
    """Return the filename; ``filename*`` goes first where it can be read (RFC 6266, 4.3; RFC 8187)."""
    charset, _, tagged = given.get("filename*", "").partition("'")
    encoded = tagged.partition("'")[2]
    if encoded and charset.lower() in _CHARSETS:
        return unquote(encoded, charset, errors="replace")
    return given.get("filename")
