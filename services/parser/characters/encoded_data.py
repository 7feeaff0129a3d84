"""Data that is written in letters, as pictures in data URIs are: no text to read, to search or to embed."""

import re

_DATA_URI = re.compile(
    r"data:[\w.+-]{1,80}/[\w.+-]{1,80}(?:;[\w.+=-]{1,80}){0,4},(?:[\w%.~+/=-]|\\\n)*", re.ASCII
)
_LEAST_RUN = 160
_RUN = re.compile(rf"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{{{_LEAST_RUN},}}={{0,2}}", re.ASCII)
_LINES = re.compile(
    r"(?:^[ \t>]*[A-Za-z0-9+/]{56,80}={0,2}[ \t]*\n){4,}(?:^[ \t>]*[A-Za-z0-9+/]{1,80}={0,2}[ \t]*$)?",
    re.MULTILINE,
)
_KINDS = (re.compile("[A-Z]"), re.compile("[a-z]"), re.compile("[0-9]"))
_LEAST_SHARE = 40
"""Of a run, one in so many is a digit at least: a path or a name of many words has fewer."""


def without_data(text: str) -> str:
    """Return a text without data URIs and long runs of base64; what stands around them stays."""
    if "data:" in text:
        text = _DATA_URI.sub("", text)
    return _RUN.sub(_unless_words, _LINES.sub(_unless_words, text))


def _unless_words(match: re.Match[str]) -> str:
    run = match[0]
    is_data = all(kind.search(run) for kind in _KINDS) and sum(map(str.isdigit, run)) * _LEAST_SHARE > len(
        run
    )
    return "" if is_data else run
