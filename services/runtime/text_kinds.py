"""Kinds of text, told by how it begins. A name is believed only where what stands there doesn't contradict it."""

import json
import re

from services.runtime.kinds import CSV, HTML, JSON, JSON_LINES, KINDS, MAIL, MARKDOWN, PLAIN, RTF, TSV, XML
from services.runtime.separated_values import delimiter_of

_BY_ENDING = {ending: kind.media_type for kind in KINDS for ending in kind.endings}

_HTML_DOCUMENT = re.compile(r"<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_HTML_FRAGMENT = re.compile(
    r"<(?:meta|title|script|style|link|div|table|section|article|main|h1|p|ul|ol)\b[^>]{0,1000}>",
    re.IGNORECASE,
)
_NOT_FOR_READERS = (
    (re.compile(r"%!PS"), "application/postscript"),
    (re.compile(r"<(?:!doctype\s+)?svg\b", re.IGNORECASE), "image/svg+xml"),
)
"""Formats written in letters that are no text to read or to search."""

_RTF = re.compile(r"\{\\rtf")
_ELEMENT = re.compile(r"<(?:!DOCTYPE\s|[A-Za-z_][\w.:-]*[\s/>])")
_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9-]{1,60}):(?:[ \t]|$)")
_FIELDS_OF_MAIL = frozenset({
    "from", "to", "subject", "date", "message-id", "mime-version", "received", "return-path", "delivered-to",
    "content-type", "reply-to", "cc", "sender", "dkim-signature", "in-reply-to", "references",
})  # fmt: skip
_MOST_FIELDS = 200
_LEAST_FIELDS = 3

_LONGEST_GAP = 1024
_PREAMBLES = (("<!--", "-->"), ("<?", "?>"))
"""Begin and end of all that may stand before the first tag."""


def text_type(text: str, ending: str, *, is_whole: bool) -> str:
    """Return the kind of a text whose beginning is given, or all if ``is_whole``; ``ending`` is its file's."""
    start = _first_tag(text)
    for pattern, media_type in _NOT_FOR_READERS:
        if pattern.match(text, start):
            return media_type
    if _RTF.match(text, start):
        return RTF
    if _HTML_DOCUMENT.match(text, start):
        return HTML
    by_name = _BY_ENDING.get(ending, "")
    if _is_xml(text, start, by_name):
        return XML
    # A README.md often begins with a <div>, so a fragment of HTML is told by its name first.
    if by_name in {MARKDOWN, HTML}:
        return by_name
    if _HTML_FRAGMENT.match(text, start):
        return HTML
    return (
        _json_type(text, by_name, is_whole=is_whole)
        or _mail_type(text, by_name)
        or _table_type(text, by_name)
        or PLAIN
    )


def _is_xml(text: str, start: int, by_name: str) -> bool:
    declares_it = text.lstrip("\ufeff \t\r\n").startswith("<?xml")
    return (declares_it or by_name == XML) and _ELEMENT.match(text, start) is not None


def _json_type(text: str, by_name: str, *, is_whole: bool) -> str:
    begin = text[:_LONGEST_GAP].lstrip()[:1]
    if not begin or begin not in "{[":
        return ""
    if is_whole and _reads_as_json(text):
        return JSON
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) > 1 and all(map(_reads_as_json, lines[: None if is_whole else -1][:50])):
        return JSON_LINES
    # All but its end, which is not there yet.
    looks_like_it = re.match(r"\s*[\[{]\s*(?:[\[{\"\d-]|true|false|null)", text) is not None
    return by_name if not is_whole and looks_like_it and by_name in {JSON, JSON_LINES} else ""


def _reads_as_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), (dict, list))
    except (ValueError, RecursionError):
        return False


def _mail_type(text: str, by_name: str) -> str:
    lines = text.lstrip("\r\n").splitlines()[:_MOST_FIELDS]
    if lines and lines[0].startswith("From "):
        del lines[0]
    found: set[str] = set()
    for line in lines:
        match = _FIELD.match(line)
        if match:
            found.add(match[1].lower())
        elif not line[:1].isspace():
            break
    known = found & _FIELDS_OF_MAIL
    return (
        MAIL
        if len(known) >= (1 if by_name == MAIL else _LEAST_FIELDS) and known & {"from", "received"}
        else ""
    )


def _table_type(text: str, by_name: str) -> str:
    if by_name in {CSV, TSV}:
        delimiter = delimiter_of(text)
    else:
        delimiter = delimiter_of(text, least_lines=4, least_columns=3, least_agreeing=1)
    if delimiter is None or (delimiter == "|" and by_name not in {CSV, TSV}):
        return ""
    return TSV if delimiter == "\t" else CSV


def _first_tag(text: str) -> int:
    """Return the offset at which a text begins, but for space, comments and processing instructions."""
    start = 0
    while True:
        start += len(text[start : start + _LONGEST_GAP]) - len(text[start : start + _LONGEST_GAP].lstrip())
        end = next((end for begin, end in _PREAMBLES if text.startswith(begin, start)), None)
        if end is None:
            return start
        stop = text.find(end, start)
        if stop < 0:
            return start
        start = stop + len(end)
