"""Markdown: as its reader sees it, but that the marks of lists and of code stay.

Links and pictures are their texts, tables know their columns, and HTML within is read as HTML.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markdown_it.utils import EnvType

from services.parser.formats.decoding import decode
from services.parser.formats.flow import Flow
from services.parser.formats.html.html import read_into
from services.parser.formats.reading import Reading, refuse_excess
from services.parser.normalization import tidy_lines, tidy_prose
from services.parser.parsed_document import Content

_PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
_PARSER.core.ruler.disable(["inline"])  # what has no marks is not looked through for them

_FRONT_MATTER = re.compile(r"\A(---|\+\+\+)\n(.{0,10000}?)\n(?:\1|\.\.\.)(?:\n|\Z)", re.DOTALL)
_FRONT_MATTER_FIELD = re.compile(
    r"^(title|author|description|date|language|lang)[ \t]*[:=][ \t]*(\S.*)$", re.MULTILINE
)
_MARKED = re.compile(r"[*_`<&!\\\[\]~]")
_SHOWN = frozenset({"text", "code_inline", "text_special"})
_BREAK = re.compile(r"<br\b", re.IGNORECASE)


def read(path: Path, reading: Reading) -> Content:
    """Read a Markdown file. Raises DocumentFailed."""
    text = tidy_lines(decode(path.read_bytes()))
    refuse_excess(len(text))
    metadata, text = _front_matter(text)
    flow = Flow()
    read_markdown(flow, text, reading)
    return Content(flow.blocks(), metadata=metadata)


def read_markdown(flow: Flow, text: str, reading: Reading) -> None:
    """Read Markdown into a document of which it may be a part."""
    env: EnvType = {}
    _Source(flow, env, reading).read(_PARSER.parse(text, env))


def _front_matter(text: str) -> tuple[dict[str, str], str]:
    """Take off the YAML or TOML that site generators want before the text."""
    match = _FRONT_MATTER.match(text)
    if not match or not re.search("[:=]", match[2]):
        return {}, text
    fields = {name: tidy_prose(value).strip("\"'") for name, value in _FRONT_MATTER_FIELD.findall(match[2])}
    if language := fields.pop("lang", None):
        fields.setdefault("language", language)
    return fields, text[match.end() :]


class _Source:
    def __init__(self, flow: Flow, env: EnvType, reading: Reading) -> None:
        self._flow = flow
        self._env = env
        self._reading = reading
        self._items: list[int | None] = []
        """The lists that are open: the number of the last item, or None where they are not numbered."""
        self._mark = ""

    def read(self, tokens: list[Token]) -> None:
        rows: list[list[str]] = []
        for before, token in pairwise([Token("", "", 0), *tokens]):
            self._reading.get_on()
            if token.type == "inline":
                self._inline(before, token, rows)
            elif token.type == "tr_open":
                rows.append([])
            elif token.type == "table_close":
                self._flow.table(rows)
                rows = []
            else:
                self._block(token)

    def _inline(self, before: Token, token: Token, rows: list[list[str]]) -> None:
        text = self._plain(token.content)
        if before.type in {"th_open", "td_open"}:
            rows[-1].append(text)
        elif before.type == "heading_open" and before.level == 0:
            self._flow.heading(int(before.tag.removeprefix("h")), tidy_prose(text))
        else:
            self._paragraph(text)

    def _block(self, token: Token) -> None:
        kind = token.type
        if kind in {"bullet_list_open", "ordered_list_open"}:
            start = token.attrGet("start")
            self._items.append(None if kind.startswith("bullet") else int(start or 1) - 1)
        elif kind in {"bullet_list_close", "ordered_list_close"}:
            self._items.pop()
            self._mark = ""
        elif kind == "list_item_open":
            self._begin_item()
        elif kind in {"fence", "code_block"}:
            self._flow.paragraph(f"```\n{token.content.rstrip()}\n```" if token.content.strip() else "")
        elif kind == "html_block":
            self._html(token.content)

    def _begin_item(self) -> None:
        number = self._items[-1]
        if number is not None:
            number = self._items[-1] = number + 1
        self._mark = "- " if number is None else f"{number}. "

    def _paragraph(self, text: str) -> None:
        indent = "  " * (len(self._items) - 1) if self._items else ""
        self._flow.paragraph(f"{indent}{self._mark}{text}" if text.strip() else "")
        self._mark = ""

    def _html(self, source: str) -> None:
        part = Flow()
        read_into(part, source.encode())
        for block in part.blocks():
            self._flow.paragraph("\n".join(filter(None, (block.columns, block.text))))

    def _plain(self, source: str) -> str:
        """What is seen of a paragraph's source."""
        if not _MARKED.search(source):
            return source
        tokens: list[Token] = []
        _PARSER.inline.parse(source, _PARSER, self._env, tokens)
        return "".join(_shown(tokens))


def _shown(tokens: list[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type in _SHOWN:
            yield token.content
        elif token.type in {"softbreak", "hardbreak"} or _BREAK.match(token.content):
            yield "\n"
        elif token.type == "image":
            yield "".join(_shown(token.children or []))
