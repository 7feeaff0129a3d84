"""From bytes to text, whatever the encoding."""

import re

import charset_normalizer

from services.runtime.media_types import HEAD_BYTES
from services.runtime.text_encoding import unicode_encoding

_SAMPLE_BYTES = 65_536
"""Detection tries dozens of encodings, so it gets a sample."""

_WESTERN = "cp1252"
_SHORT_SAMPLE = 64
"""With fewer telling bytes than this, statistics name any encoding; Western is the commonest."""

_WESTERN_SIGNS = frozenset(
    byte
    for byte in range(0x80, 0x100)
    # Five bytes are undefined there, and decode to nothing.
    if (sign := bytes([byte]).decode(_WESTERN, errors="ignore")) and not sign.isalpha()
)
"""Bytes that are no letters in Windows-1252: quotation marks, dashes, currencies, fractions."""

_GOOD_FOR_BROKEN = 10

_NOT_ASCII = re.compile(rb"[^\n]*[\x80-\xff][^\n]*\n?")


def decode(data: bytes) -> str:
    """Decode text by its byte order mark, as UTF-8, as plausible UTF-16 or UTF-32, or by its statistics.

    What is invalid in the encoding becomes U+FFFD; nothing is raised.
    """
    encoding = unicode_encoding(data[:HEAD_BYTES])
    if encoding and encoding != "utf-8":
        return data.decode(encoding, errors="replace")
    text = data.decode("utf-8", errors="replace")
    broken = text.count("\ufffd") - data.count("\ufffd".encode())  # it may be there as it is
    if broken * _GOOD_FOR_BROKEN <= len(data) - len(text):
        # A few broken bytes among many good sequences: damaged UTF-8, not another encoding.
        return text
    return data.decode(_statistical_encoding(data), errors="replace")


def _statistical_encoding(data: bytes) -> str:
    sample = b""
    for match in _NOT_ASCII.finditer(data):
        sample += match.group()[:_SAMPLE_BYTES]
        if len(sample) >= _SAMPLE_BYTES:
            break
    if sum(byte >= 0x80 for byte in sample) < _SHORT_SAMPLE and _is_western(sample):
        return _WESTERN
    best = charset_normalizer.from_bytes(sample).best()
    return best.encoding if best else _WESTERN


def _is_western(sample: bytes) -> bool:
    telling = {byte for byte in sample if byte >= 0x80} - _WESTERN_SIGNS
    return bytes(telling).decode(_WESTERN, errors="replace").isalpha() or not telling
