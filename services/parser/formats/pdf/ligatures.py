"""The two letters of a lam-alef, which PDFium gives turned round: they are one glyph, in one box."""

import ctypes
import re

import pypdfium2
import pypdfium2.raw as pdfium

_TURNED = re.compile("[\u0622\u0623\u0625\u0627]\u0644")
_ALEFS = frozenset(map(ord, "\u0622\u0623\u0625\u0627"))
_LAM = 0x644


def with_ligatures(page: pypdfium2.PdfTextPage, text: str) -> str:
    """Return the text of a page with the letters of each lam-alef in their order."""
    found = list(_TURNED.finditer(text))
    if not found:
        return text
    signs = [pdfium.FPDFText_GetUnicode(page, index) for index in range(page.count_chars())]
    places = [index for index in range(len(signs) - 1) if signs[index] in _ALEFS and signs[index + 1] == _LAM]
    if len(places) != len(found):  # the text leaves something out, and nobody knows which is which
        return text
    letters = list(text)
    for match, index in zip(found, places, strict=True):
        if _box(page, index) == _box(page, index + 1):
            start = match.start()
            letters[start], letters[start + 1] = letters[start + 1], letters[start]
    return "".join(letters)


def _box(page: pypdfium2.PdfTextPage, index: int) -> tuple[float, ...]:
    sides = [ctypes.c_double() for _ in range(4)]
    pdfium.FPDFText_GetCharBox(page, index, *sides)
    return tuple(round(side.value, 2) for side in sides)
