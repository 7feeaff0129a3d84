"""Which characters make words: sets of them, as regular expressions have them between brackets."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain, groupby

UNSPACED_SCRIPTS = (
    r"\u0e00-\u0e3a\u0e40-\u0e4e"  # Thai, without its currency sign and digits
    r"\u0e80-\u0ece\u0edc-\u0edf"  # Lao
    r"\u1000-\u103f\u1050-\u109d\uaa60-\uaa7f"  # Burmese
    r"\u1780-\u17d3\u17dd"  # Khmer
    r"\u1100-\u11ff\u3131-\u318e\ua960-\ua97c\uac00-\ud7fb"  # Hangul: spaced, but by phrases
    r"\u3005-\u3007\u3041-\u3096\u3099\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"  # Kana
    r"\uff66-\uff9f"  # Kana of half width
    r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
)
"""Scripts that put no spaces between words, or where what stands between two spaces is more than a word."""

UNSPACED_MARKS = (
    r"\u0e30-\u0e3a\u0e45\u0e47-\u0e4e\u0eb0-\u0ebc\u0ec8-\u0ece\u102b-\u103e\u1056-\u1059\u105e-\u1060"
    r"\u17b4-\u17d3\u17dd\u3099\u309a\uff9e\uff9f"
)
"""What stands on, below or behind a letter of these scripts and is no letter of its own."""

SYLLABLES = r"\uac00-\ud7a3\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Letters that are often a word: syllables of Hangul, and Han."""

IGNORED = "\u00ad\u200c\u200d\u2060\ufeff"
"""May stand within a word and is no part of it: hyphens and joiners that are not seen."""

HYPHENS = "-\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d\u05be"
APOSTROPHES = "'\u2018\u2019\u02bc\uff07\u05f3\u05f4\u00b7"
"""Signs within a word that writers leave out as often: l'homme, O'Brien, צה״ל, col·legi."""

JOINERS = HYPHENS + APOSTROPHES + "_.:/@&+\uff3f\uff0e\uff1a\uff0f\uff20\uff06\uff0b"
"""Signs that hold the parts of an identifier or a compound together, one between two parts."""

_LOOKED_AT = (range(0x3400), range(0xA000, 0xAC00), range(0xF900, 0x20000))
"""Between and beyond are only ideographs, Hangul, selectors, tags and private characters: to look at those, too,
takes each process a tenth of a second to start."""


@cache
def word_characters() -> str:
    """Return the set of letters, digits and marks of all scripts that put spaces between words."""
    unspaced = re.compile(f"[{UNSPACED_SCRIPTS}]")
    outside = {ord(char) for char in "_\uff3f" + APOSTROPHES}
    numbers = (
        code
        for code in chain.from_iterable(_LOOKED_AT)
        if code not in outside and _is_of_word(chr(code)) and not unspaced.match(chr(code))
    )
    return "".join(_ranges(numbers)) + re.escape(IGNORED)


def _is_of_word(char: str) -> bool:
    """A letter, a digit, a mark on either, or a sign that stands for such, as a unit in one character does."""
    if char.isalnum():
        return True
    category = unicodedata.category(char)
    if category in {"So", "Sm"}:
        return unicodedata.normalize("NFKC", char).isalnum()
    return category in {"Mn", "Mc"} and char not in IGNORED


def _ranges(numbers: Iterable[int]) -> Iterator[str]:
    for _, run in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        codes = [code for _, code in run]
        yield f"\\U{codes[0]:08x}-\\U{codes[-1]:08x}"
