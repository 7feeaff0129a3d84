"""Names that are no words of a language, and words with signs inside: what they are called besides their parts."""

import re
from collections.abc import Iterator, Sequence

from services.search_terms.tokenization import SIGNED

MAX_PARTS = 6
"""Of a compound that is also looked for in one: e-mail and email."""

_NAME_SIGNS = re.compile(r"[_@.&+]")
_DIGIT = re.compile(r"\d")
_IDENTIFIER = re.compile(r"(?=\S*[^\W\d_])(?=\S*[\d_])\S+")
_COMPOUND = re.compile(r"[^.:/@&+#]+")
"""Without any sign but hyphens, apostrophes and underscores, which may as well be missing."""
_BLANK = re.compile(r"\s")


def names_of(token: str, parts: Sequence[str]) -> Iterator[str]:
    """Yield the name that a normalised token of several parts, or with signs behind it, is as a whole, if any.

    A digit or a sign that stands in no word makes it a name. Words with a hyphen (well-known) are found by their
    parts, and what has a single sign as writers like it (and/or) is two words.
    """
    has_name_sign = _NAME_SIGNS.search(token) is not None and not _is_abbreviation(token, parts)
    if has_name_sign or _DIGIT.search(token) or token.endswith(("++", "#")):
        yield token


def is_identifier(query: str) -> bool:
    """Return whether a query is one name and nothing else: letters with digits or underscores, as in no word."""
    return _IDENTIFIER.fullmatch(query.strip()) is not None


def closed_up(token: str, parts: Sequence[str]) -> Iterator[str]:
    """Yield a compound without its signs, but never of digits alone: email for e-mail, kx4471b, usa for U.S.A."""
    if not 1 < len(parts) <= MAX_PARTS or all(part.isdigit() for part in parts):
        return
    if _COMPOUND.fullmatch(token) or _is_abbreviation(token, parts):
        yield "".join(parts)


def spoken_parts(token: str, parts: Sequence[str]) -> Sequence[str]:
    """Return the parts that are words of their own: not the article of l'homme, nor the s of John's."""
    if "'" not in token or len(parts) == 1:
        return parts
    longest = max(parts, key=len)
    return [part for part in parts if len(part) > 2 or part is longest]


def signed_numbers(text: str) -> Iterator[re.Match[str]]:
    """Yield where a sign before a number makes it a name: § 12a, #4711."""
    if any(sign in text for sign in "§¶№#"):
        yield from SIGNED.finditer(text)


def signed_name(match: re.Match[str]) -> str:
    """Return the name that a signed number is, without a space: §12a."""
    return _BLANK.sub("", match[0]).lower()


def _is_abbreviation(token: str, parts: Sequence[str]) -> bool:
    """Return whether a token is single letters with points between them."""
    return len(token) == 2 * len(parts) - 1 and all(sign == "." for sign in token[1::2])
