"""HTML: what a reader would see, in paragraphs and tables, under its headings."""

import re
from collections.abc import Iterator
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser, LexborNode

from services.parser.formats.flow import Flow
from services.parser.formats.headings import MAX_TITLE
from services.parser.formats.html.html_table import is_for_layout, rows_of
from services.parser.formats.html.html_tree import parse_html
from services.parser.formats.html.html_walk import Walk
from services.parser.formats.reading import Reading
from services.parser.normalization import clean, tidy_prose
from services.parser.parsed_document import Content

INLINE = frozenset({
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "button", "cite", "code", "data", "del", "dfn", "em",
    "font", "i", "img", "input", "ins", "kbd", "label", "mark", "meter", "nobr", "output", "progress", "q",
    "rp", "rt", "ruby", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u",
    "var", "wbr"
})  # fmt: skip
_MISLABELLED = {
    code: sign for code in range(0x80, 0xA0) if (sign := bytes([code]).decode("cp1252", errors="ignore"))
}
"""By ISO 8859-1 people mean Windows-1252, whose quotation marks are controls there (WHATWG Encoding, 4.2)."""

_CELLS = frozenset({"td", "th"})
_LEVELS = {f"h{level}": level for level in range(1, 7)}
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*")


def read(path: Path, _reading: Reading) -> Content:
    """Read an HTML file. Raises DocumentFailed."""
    flow = Flow()
    metadata = read_into(flow, path.read_bytes())
    return Content(flow.blocks(), metadata=metadata)


def read_into(
    flow: Flow, data: bytes, *, is_xml: bool = False, encoding: str | None = None
) -> dict[str, str]:
    """Read a page into a document of which it may be a part, and return what it says about itself."""
    tree = parse_html(data, is_xml=is_xml, encoding=encoding)
    if root := tree.body or tree.root:
        _Page(flow).read(root)
    return _metadata(tree)


def _metadata(tree: LexborHTMLParser) -> dict[str, str]:
    title = tree.css_first("head > title")
    texts = {"title": tidy_prose(title.text()) if title else ""}
    for name in ("author", "description", "keywords"):
        node = tree.css_first(f'meta[name="{name}" i]')
        texts[name] = tidy_prose((node.attributes.get("content") or "") if node else "")
    language = (tree.root.attributes.get("lang") or "") if tree.root else ""
    texts["language"] = language if _LANGUAGE.fullmatch(language) else ""
    return {name: text for name, text in texts.items() if text}


class _Page:
    """What was seen and is not yet a paragraph, and the heading that is open."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._pending: list[str] = []
        self._heading = 0

    def read(self, root: LexborNode) -> None:
        walk = Walk(root)
        for node, opens in walk:
            tag = node.tag or ""
            if tag == "-text":
                self._pending.append(_text(node))
            elif tag == "br":
                self._pending.append("\n")
            elif tag == "img":
                self._pending.append(_picture(node) if opens else "")
            elif tag == "table" and opens and not self._heading:
                self._table(node, walk)
            elif tag in _CELLS:
                self._pending.append("" if opens else " | ")
            elif tag not in INLINE:
                self._block(tag, opens=opens)
        self._flush()

    def _block(self, tag: str, *, opens: bool) -> None:
        level = _LEVELS.get(tag, 0)
        if self._heading and not level:
            self._pending.append(" ")  # a block in a heading is a part of it
        elif level and not opens and self._heading:
            self._end_heading()
        else:
            self._flush()
            self._heading = level if opens else 0

    def _end_heading(self) -> None:
        text = _lines("".join(self._pending))
        if len(text) <= 2 * MAX_TITLE:
            self._flow.heading(self._heading, tidy_prose(text))
            self._pending.clear()
        self._heading = 0
        self._flush()

    def _table(self, table: LexborNode, walk: Walk) -> None:
        self._flush()
        if any(part.css_first("table, h1, h2, h3, h4, h5, h6, pre") for part in table.iter()):
            return
        rows = list(rows_of(table, _cell_text))
        if not is_for_layout(rows):
            walk.skip(table)
            for caption in table.css("caption"):
                self._flow.paragraph(_cell_text(caption))
            self._flow.table(rows)

    def _flush(self) -> None:
        text = _lines("".join(self._pending))
        self._pending.clear()
        self._flow.paragraph(text)


def _cell_text(cell: LexborNode) -> str:
    return tidy_prose("".join(_cell_parts(cell)))


def _cell_parts(cell: LexborNode) -> Iterator[str]:
    for node, opens in Walk(cell):
        if node.tag == "-text":
            yield _text(node)
        elif node.tag == "img":
            yield _picture(node) if opens else ""
        elif node.tag not in INLINE:
            yield " "


def _picture(node: LexborNode) -> str:
    text = tidy_prose(node.attributes.get("alt") or "")
    return f" {text} " if text else ""


def _text(node: LexborNode) -> str:
    """The text of a text node; line ends are kept only where they are shown."""
    text = clean((node.text_content or "").translate(_MISLABELLED))
    parent = node.parent
    while parent is not None and parent.tag in INLINE:
        parent = parent.parent
    return text if parent is not None and parent.tag in {"pre", "textarea"} else text.replace("\n", " ")


def _lines(text: str) -> str:
    lines = (tidy_prose(line).strip("| ") for line in text.split("\n"))
    return "\n".join(line for line in lines if line)
