"""Text encodings, told by a file's first bytes."""

import codecs

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: its mark begins with UTF-16's
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
CONTROLS = bytes(set(range(32)) - set(b"\t\n\f\r\x1b")) + b"\x7f"
CONTROLS_IN_TEXT = 0.002


def unicode_encoding(head: bytes) -> str | None:
    """Name the Unicode encoding in which a file begins, by its mark or because it reads as text in it.

    The answer is a name for ``bytes.decode`` (one that drops the mark); None: another encoding, or no text.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return encoding
    if b"\0" not in head:
        return "utf-8" if _reads_as(head, "utf-8") else None
    wide = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
    return next((encoding for encoding in wide if _reads_as(head, encoding)), None)


def _reads_as(head: bytes, encoding: str) -> bool:
    try:
        # Not final: the head may end within a character.
        text = codecs.getincrementaldecoder(encoding)().decode(head, final=False)
    except UnicodeDecodeError:
        return False
    if encoding != "utf-8" and not _is_plausible(text):
        return False
    controls = sum(text.count(chr(control)) for control in CONTROLS)
    return controls <= len(text) * CONTROLS_IN_TEXT


def _is_plausible(text: str) -> bool:
    """Return whether what was decoded as UTF-16 or UTF-32, without a mark that says so, is text.

    Binary data may decode, but to characters that are unassigned or private, and hardly to spaces. Text in
    the other byte order becomes ideographs without a space between them.
    """
    readable = sum(char.isprintable() or char.isspace() for char in text)
    spaced = sum(char in " \n\r\t\u3000" or (char.isascii() and char.isprintable()) for char in text)
    return readable >= len(text) * 0.99 and spaced >= len(text) * 0.02
