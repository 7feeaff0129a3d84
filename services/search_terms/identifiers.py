"""Names that are no words of a language, and words with signs inside: what they are called besides their parts."""

import re
from collections.abc import Iterator, Sequence

from services.search_terms.tokenization import SIGNED

MAX_PARTS = 6
"""Of a compound that is also looked for in one: e-mail and email."""

_NAME_SIGNS = re.compile(r"[_@.&+]")
_COMPOUND_SIGNS = frozenset("-'_")
_BLANK = re.compile(r"\s")


def names_of(token: str, parts: Sequence[str]) -> Iterator[str]:
    """Yield the name that a normalised token of several parts, or with signs behind it, is as a whole, if any.

    A digit or a sign that stands in no word makes it a name. Words with a hyphen (well-known) are found by their
    parts, and what has a single sign as writers like it (and/or) is two words.
    """
    has_digit = any(char.isdigit() for char in token)
    is_abbreviation = all(len(part) == 1 for part in parts) and set(token[1:-1:2]) == {"."}
    if has_digit or (_NAME_SIGNS.search(token) and not is_abbreviation) or token.endswith(("++", "#")):
        yield token


def closed_up(token: str, parts: Sequence[str]) -> Iterator[str]:
    """Yield a compound without its signs, but never of digits alone: email for e-mail, kx4471b, usa for U.S.A."""
    if not 1 < len(parts) <= MAX_PARTS or all(part.isdigit() for part in parts):
        return
    signs = set(re.sub(r"\w", "", token)) | ({"_"} if "_" in token else set())
    if signs <= _COMPOUND_SIGNS or (signs == {"."} and all(len(part) == 1 for part in parts)):
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
