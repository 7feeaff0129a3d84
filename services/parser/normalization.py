"""Text as it stands in documents, made fit for the database, the model and a reader's eye."""

import re
import unicodedata
from collections.abc import Container, Iterable
from itertools import pairwise

from services.parser.characters.encoded_data import without_data
from services.parser.characters.symbols import SHOWN

_LIGATURES = {code: unicodedata.normalize("NFKC", chr(code)) for code in range(0xFB00, 0xFB07)}
_NOT_STORABLE = {0: None, **dict.fromkeys(range(0xD800, 0xE000))}
"""PostgreSQL refuses NUL, and lone surrogates can't be written as UTF-8."""
_INVISIBLE = dict.fromkeys((*range(1, 9), 0x0B, *range(0x0E, 0x20), 0x7F, 0xFEFF))
_WITHOUT_WIDTH = dict.fromkeys(
    (0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), 0x2060, *range(0x2066, 0x206A))
)
"""They would part words that a reader sees whole. Joiners stay: emoji and some scripts are written with them."""
_CLEANING = {
    **SHOWN,
    **_WITHOUT_WIDTH,
    **_LIGATURES,
    **_NOT_STORABLE,
    **_INVISIBLE,
    0x0C: "\n",
    0x85: "\n",
    0x2028: "\n",
    0x2029: "\n\n",
}

_SOFT_HYPHEN = "\u00ad"
"""Marks a place where a word might be broken; on a printed page, where it was."""

_UNSPACED = re.compile("[\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]")
"""Characters of scripts that put no spaces between words: Han, Kana and their punctuation."""

_BLANK_LINES = re.compile(r"\n{3,}")
_SPACES = re.compile(r"[^\S\n]+")
_SPACED_NEWLINE = re.compile(r"[^\S\n]*\n[^\S\n]*")

# PDFium writes U+FFFE for a hyphen that ended a line, without the line end.
# What stands before is looked up in the text: a pattern for it would try again at every letter of a long word.
_BROKEN_WORD = re.compile(r"(?:\ufffe\n?|(?<=\w)[-\u00ad\u2010]\n(?=\w))(\w*)([^\s\ufffe]*)[^\S\n]*\n?")
_LONGEST_WORD = 64
_WORD = re.compile(r"\w+(?:-\w+)*")

_SENTENCE_ENDS = (".", "!", "?", ":", ";", "…", "\u3002", "\uff01", "\uff1f", '."', ".\u201d", ".)")
_SHORT_LINE = 30
_FULL_LINE = 0.7
"""A line at least this long, measured by the widest around it, was broken for lack of room."""


def clean(text: str) -> str:
    """Remove what can't be stored or seen, spell out Latin ligatures, and end lines with LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_CLEANING)


def has_text(text: str) -> bool:
    """Return whether there is something to search for: a letter or a digit in any script."""
    return any(char.isalnum() for char in text)


def tidy_lines(text: str) -> str:
    """Clean a text and keep its lines, with at most one blank line between two of them."""
    text = without_data(clean(text).replace(_SOFT_HYPHEN, ""))
    lines = "\n".join(line.rstrip() for line in text.split("\n"))
    return _BLANK_LINES.sub("\n\n", lines).strip("\n")


def tidy_prose(text: str) -> str:
    """Clean a text in which the writer's line ends mean nothing but a space, as in HTML."""
    return _SPACES.sub(" ", without_data(clean(text).replace(_SOFT_HYPHEN, "").replace("\n", " "))).strip()


def clean_page(text: str) -> str:
    """Clean the text of a printed page."""
    return _SPACED_NEWLINE.sub("\n", _SPACES.sub(" ", clean(text)))


def words_of(pages: Iterable[str]) -> frozenset[str]:
    """Return the words that a document writes within its lines, compounds with their hyphens, in small letters."""
    return frozenset(word for page in pages for word in _WORD.findall(page.casefold()))


def mend_lines(page: str, words: Container[str] = frozenset()) -> str:
    """Make words whole that were broken at line ends of a cleaned page, as ``words`` has them, or else by rule."""
    return _BROKEN_WORD.sub(lambda match: _mend(match, words), page).replace("\u00ad", "").strip()


def mend_page(text: str) -> str:
    """Clean the text of a printed page and make words whole that were broken at line ends."""
    return mend_lines(clean_page(text))


def join_lines(page: str) -> str:
    """Join the lines of a mended page, or of a part of one, into paragraphs."""
    return "\n\n".join(map(_join_paragraph, re.split(r"\n{2,}", page.strip())))


def _mend(match: re.Match[str], words: Container[str]) -> str:
    second, rest = match.groups()
    before = match.string[max(0, match.start() - _LONGEST_WORD) : match.start()]
    # The line ends after the word now, so that lines keep about the length that tells where a paragraph ends.
    return f"{_hyphen_between(_last_word(before), second, words)}{second}{rest}\n"


def _last_word(text: str) -> str:
    return re.split(r"[^\w\u2019'-]", text)[-1]


def _hyphen_between(first: str, second: str, words: Container[str]) -> str:
    """The hyphen stays where the document writes it elsewhere, and goes where it writes the word without.

    Where it does neither, or both, that of a compound stays: one of several (state-of-the-art), or one before a
    capital or digit.
    """
    whole, compound = (f"{first}{sign}{second}".casefold() in words for sign in ("", "-"))
    if whole != compound:
        return "" if whole else "-"
    is_one_word = first[-1:].isalpha() and second[:1].islower() and "-" not in first
    return "" if is_one_word else "-"


def _join_paragraph(paragraph: str) -> str:
    lines = paragraph.split("\n")
    full = max(_SHORT_LINE, max(map(len, lines)) * _FULL_LINE)
    joined = [lines[0]]
    for before, line in pairwise(lines):
        goes_on = len(before) >= full and not before.endswith(_SENTENCE_ENDS)
        is_unspaced = _UNSPACED.fullmatch(before[-1:]) and _UNSPACED.fullmatch(line[:1])
        space = "" if is_unspaced else " "
        joined.append(f"{space if goes_on or line[:1].islower() else chr(10)}{line}")
    return "".join(joined)
