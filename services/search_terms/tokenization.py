"""Cuts a text into tokens: words, identifiers with their joining signs, and runs of scripts without spaces.

Tokens are cut out of the text as it stands, and only then normalised, one by one. So an offset of a token is an
offset of the text, whatever normalisation does to its length. Every pattern here reads on from where it
stopped and never tries again, so that no text costs more than time in proportion to its length.
"""

import re

from services.search_terms import characters

_WORD = f"[{characters.word_characters()}]"
_UNSPACED = f"[{characters.UNSPACED_SCRIPTS}]"
_JOINER = f"[{re.escape(characters.JOINERS)}]"

TOKEN = re.compile(
    rf"{_WORD}+(?:{_JOINER}{_WORD}+)*(?:(?:\+\+|#)(?!{_WORD}))?"
    rf"|{_UNSPACED}+"
)
"""One token: ERR_CONN_RESET, C++, l'homme; or as much as there is of a script without spaces."""

SIGNED = re.compile(rf"[§¶№#][ \u00a0\u202f]?[0-9]{_WORD}{{0,8}}(?!{_WORD})")
"""A number that a sign makes a name: § 12a, #4711."""

PART = re.compile(f"{_WORD}+")
"""A part of a token between its signs."""

CLUSTER = re.compile(rf"[\u1100-\u115f][\u1160-\u11a7][\u11a8-\u11ff]?|[\s\S][{characters.UNSPACED_MARKS}]*")
"""A letter of a script without spaces with what stands on it; a syllable of Hangul, also one written in parts."""

_IS_UNSPACED = re.compile(_UNSPACED)
_IS_SYLLABLE = re.compile(f"[{characters.SYLLABLES}]")


def is_unspaced(token: str) -> bool:
    """Return whether a token is a run of a script without spaces."""
    return _IS_UNSPACED.match(token) is not None


def may_be_word(cluster: str) -> bool:
    """Return whether a letter of a script without spaces may be a word alone.

    An ideograph, a syllable of Hangul, and a letter with a vowel on it may be (น้ำ is water); kana are not.
    """
    return len(cluster) > 1 or _IS_SYLLABLE.match(cluster) is not None
