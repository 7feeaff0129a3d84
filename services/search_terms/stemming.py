"""Stems of words, by the Snowball stemmer of their language."""

import re
import threading
from dataclasses import dataclass, field

import Stemmer


@dataclass(frozen=True)
class _Script:
    """A script: its letters, and which of its languages have a stemmer; all by ISO 639-1 codes."""

    letters: re.Pattern[str]
    usual: str
    """The language that is taken where none is known; empty for none."""
    stemmers: dict[str, str]
    without_stemmer: frozenset[str] = field(default=frozenset())


def _codes(spaced: str) -> frozenset[str]:
    return frozenset(spaced.split())


_LATIN = _Script(
    re.compile("[a-z\u00aa-\u024f\u1e00-\u1eff]"),
    "en",
    {
        "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "en": "english", "eo": "esperanto",
        "es": "spanish", "et": "estonian", "eu": "basque", "fi": "finnish", "fr": "french", "ga": "irish",
        "hu": "hungarian", "id": "indonesian", "it": "italian", "lt": "lithuanian", "nb": "norwegian",
        "nl": "dutch", "nn": "norwegian", "no": "norwegian", "pl": "polish", "pt": "portuguese",
        "ro": "romanian", "st": "sesotho", "sv": "swedish", "tr": "turkish",
    },
    _codes("af an az br bs cy fo fy gd gl ha hr ht ig is jv ku la lb lg ln lv mg ms mt oc om qu rw se sk sl sn so "
        "sq sw tk tl uz vi vo wa xh yo zu"),
)  # fmt: skip

_SCRIPTS = (
    _LATIN,
    _Script(
        re.compile("[\u0400-\u052f]"),
        "ru",
        {"ru": "russian", "sr": "serbian"},
        _codes("ba be bg kk ky mk mn tg tt uk"),
    ),
    _Script(re.compile("[\u0370-\u03ff\u1f00-\u1fff]"), "el", {"el": "greek"}),
    _Script(re.compile("[\u0600-\u06ff]"), "ar", {"ar": "arabic", "fa": "persian"}, _codes("ps ug ur")),
    _Script(re.compile("[\u0590-\u05ff]"), "", {"yi": "yiddish"}),
    _Script(re.compile("[\u0900-\u097f]"), "hi", {"hi": "hindi", "ne": "nepali"}, _codes("mr sa")),
    _Script(re.compile("[\u0530-\u058f]"), "hy", {"hy": "armenian"}),
    _Script(re.compile("[\u0b80-\u0bff]"), "ta", {"ta": "tamil"}),
)

LANGUAGES = frozenset(language for script in _SCRIPTS for language in script.stemmers)
"""The languages that have a stemmer."""

_local = threading.local()


def stem(word: str, language: str | None) -> str:
    """Return the stem of a normalised word, or the word itself where its language has no stemmer.

    A word in another script than its document's language is written in is stemmed as by the most common language
    of that script, and so is one whose language is not known. That is right often enough, and harmless else, since
    the word itself is a term too.
    """
    for script in _SCRIPTS:
        if script.letters.match(word):
            name = _stemmer_name(script, language)
            return str(_stemmer(name).stemWord(word)) if name else word
    return word


def _stemmer_name(script: _Script, language: str | None) -> str | None:
    if language in script.without_stemmer:
        return None
    return script.stemmers.get(language or script.usual) or script.stemmers.get(script.usual)


def _stemmer(name: str) -> Stemmer.Stemmer:
    """The stemmer of this thread: two threads must not use one at once."""
    stemmers: dict[str, Stemmer.Stemmer] = _local.__dict__
    if name not in stemmers:
        stemmers[name] = Stemmer.Stemmer(name, 0)  # without a cache: terms are kept by their words
    return stemmers[name]
