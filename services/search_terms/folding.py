"""Makes alike what is written differently and read as the same: width, case, ligatures, digits, accents."""

import re
import unicodedata

from services.search_terms.characters import APOSTROPHES, HYPHENS, IGNORED

_UNSEEN = dict.fromkeys(map(ord, IGNORED + "\u0640"))
"""U+0640 only stretches an Arabic word."""

_SIGNS = {**dict.fromkeys(map(ord, HYPHENS), "-"), **dict.fromkeys(map(ord, APOSTROPHES), "'")}
_FOREIGN_DIGIT = re.compile(r"[^\D0-9]")
_ACCENTS = re.compile(
    "[\u0300-\u0305\u0307-\u036f]|(?<!\u0438)\u0306"  # й is no и with an accent
    "|[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u064b-\u065f\u0670]"  # Hebrew and Arabic vowel points
)
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "\u0131": "i", "æ": "ae", "œ": "oe", "þ": "th"}
    | {"\u0649": "\u064a", "\u0629": "\u0647", "\u06cc": "\u064a", "\u06a9": "\u0643"}  # Arabic, Persian
)


def normalized(text: str) -> str:
    """Return a text in NFKC and without case; digits of all scripts are ASCII, invisible characters are gone."""
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKC", text.translate(_UNSEEN)).casefold().translate(_SIGNS)
    return unicodedata.normalize("NFKC", _FOREIGN_DIGIT.sub(_ascii_digit, text))


def folded(word: str) -> str:
    """Return a normalised word without accents and vowel points.

    Only of scripts where writers leave them out: in Devanagari or Thai a mark is a vowel of the word.
    """
    if word.isascii():
        return word
    bare = _ACCENTS.sub("", unicodedata.normalize("NFD", word)).translate(_LETTERS)
    return unicodedata.normalize("NFC", bare)


def _ascii_digit(match: re.Match[str]) -> str:
    return str(unicodedata.digit(match[0]))
