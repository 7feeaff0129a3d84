"""Markdown: its source stays as it is written, its headings become the chunks' headings."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from services.parser.formats.decoding import decode
from services.parser.formats.headings import HeadingPath
from services.parser.formats.reading import Reading, refuse_excess
from services.parser.normalization import has_text, tidy_lines, tidy_prose
from services.parser.parsed_document import Block, Content

_PARSER = MarkdownIt("commonmark").enable("table")
_BLOCKS_ONLY = MarkdownIt("commonmark").enable("table")
_BLOCKS_ONLY.core.ruler.disable(["inline"])

_FRONT_MATTER = re.compile(r"\A---\n(.{0,10000}?)\n(?:---|\.\.\.)(?:\n|\Z)", re.DOTALL)
_FRONT_MATTER_FIELD = re.compile(r"^(title|author|description|date):[ \t]*(\S.*)$", re.MULTILINE)


def read(path: Path, _reading: Reading) -> Content:
    """Read a Markdown file. Raises DocumentFailed."""
    text = tidy_lines(decode(path.read_bytes()))
    refuse_excess(len(text))
    metadata, text = _front_matter(text)
    blocks = tuple(block for block in _sections(text) if has_text(block.text))
    return Content(blocks, metadata=metadata)


def _front_matter(text: str) -> tuple[dict[str, str], str]:
    """Take off the YAML that site generators want before the text."""
    match = _FRONT_MATTER.match(text)
    if not match or ":" not in match.group(1):
        return {}, text
    fields = {
        name: tidy_prose(value).strip("\"'") for name, value in _FRONT_MATTER_FIELD.findall(match.group(1))
    }
    return fields, text[match.end() :]


def _sections(text: str) -> Iterator[Block]:
    """The source between two headings, each part beginning with its heading's line."""
    lines = text.split("\n")
    path = HeadingPath()
    headings = list(_headings(_BLOCKS_ONLY.parse(text)))
    for (start, level, title), (end, *_) in pairwise(((0, 0, ""), *headings, (len(lines), 0, ""))):
        if title:
            path.enter(level, title)
        yield Block("\n".join(lines[start:end]).strip("\n"), headings=path.titles)


def _headings(tokens: list[Token]) -> Iterator[tuple[int, int, str]]:
    """First line, level and title of each heading that isn't inside a list or a quotation."""
    for token, inline in pairwise(tokens):
        if token.type == "heading_open" and token.level == 0 and token.map:
            yield token.map[0], int(token.tag.removeprefix("h")), _readable(inline.content)


def _readable(markup: str) -> str:
    children = _PARSER.parseInline(markup)[0].children or ()
    shown = (child.content for child in children if child.type in {"text", "code_inline", "text_special"})
    return tidy_prose("".join(shown))
