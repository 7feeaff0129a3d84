"""RTF: its text, a line for each paragraph and for each row of a table."""

import re
from pathlib import Path

from striprtf.striprtf import rtf_to_text

from contracts.failures import DocumentFailed, FailureCode
from services.parser.formats.flow import Flow
from services.parser.formats.reading import Reading, refuse_excess
from services.parser.normalization import tidy_lines, tidy_prose
from services.parser.parsed_document import Content

_HEX = re.compile(r"(?<![\\'0-9A-Za-z])(?:[0-9a-fA-F]{32,}\s*)+")
"""Pictures and objects. The library would look at each of their digits."""
_RAW = re.compile(r"\\bin(\d{1,9}) ")
_TITLE = re.compile(r"\{\\title ([^{}\\]{1,1000})\}")
_AUTHOR = re.compile(r"\{\\author ([^{}\\]{1,1000})\}")


def read(path: Path, _reading: Reading) -> Content:
    """Read an RTF file. Raises DocumentFailed."""
    source = _HEX.sub("", _without_raw(path.read_bytes().decode("latin-1")))
    refuse_excess(len(source))
    try:
        text: str = rtf_to_text(source, errors="replace")  # type: ignore[no-untyped-call]  # it has no types
    except (ValueError, IndexError, LookupError, OverflowError) as error:
        raise DocumentFailed(FailureCode.CORRUPT, "The file is damaged: it can't be read as RTF.") from error
    flow = Flow()
    rows: list[list[str]] = []
    for line in text.split("\n"):
        if line.rstrip().endswith("|") and line.count("|") > 1:
            rows.append(line.rstrip().removesuffix("|").split("|"))
            continue
        flow.table(rows)
        rows = []
        flow.paragraph(tidy_lines(line))
    flow.table(rows)
    return Content(flow.blocks(), metadata=_about(source))


def _about(source: str) -> dict[str, str]:
    found = {"title": _TITLE.search(source), "author": _AUTHOR.search(source)}
    texts = {name: tidy_prose(match[1]) for name, match in found.items() if match}
    return {name: text for name, text in texts.items() if text}


def _without_raw(source: str) -> str:
    """Take out the bytes that stand there as they are, of which any may look like RTF."""
    parts: list[str] = []
    start = 0
    for match in _RAW.finditer(source):
        if match.start() >= start:
            parts.append(source[start : match.start()])
            start = match.end() + int(match[1])
    return "".join((*parts, source[start:]))
