"""HTML: what a reader would see, in paragraphs, under its headings."""

from collections.abc import Iterator
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from services.parser.formats.decoding import decode
from services.parser.formats.headings import HeadingPath
from services.parser.formats.reading import Reading, refuse_excess
from services.parser.normalization import clean, has_text, tidy_prose
from services.parser.parsed_document import Block, Content
from services.runtime.media_types import HEAD_BYTES
from services.runtime.text_encoding import unicode_encoding

_UNSEEN = frozenset({
    "-comment", "head", "script", "style", "template", "noscript", "nav", "svg", "math", "iframe", "object",
    "embed", "canvas", "audio", "video", "select", "datalist", "button", "dialog"
})  # fmt: skip
_INLINE = frozenset({
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


def read(path: Path, _reading: Reading) -> Content:
    """Read an HTML file. Raises DocumentFailed."""
    tree = _parse(path.read_bytes())
    blocks = tuple(_merge(_paragraphs(tree)))
    refuse_excess(sum(len(block.text) for block in blocks))
    return Content(blocks, metadata=_metadata(tree))


def _parse(data: bytes) -> LexborHTMLParser:
    """Decode by byte order mark, else by <meta>, else by what the bytes look like."""
    encoding = unicode_encoding(data[:HEAD_BYTES])
    if (
        not (encoding or "utf-8").startswith(("utf-16", "utf-32", "utf-8-sig"))
        and b"charset" in data[:1024].lower()
    ):
        return _tree(data, encoding=True)
    return _tree(decode(data))


def _tree(source: bytes | str, *, encoding: bool = False) -> LexborHTMLParser:
    """Parse what any bytes are by the standard; raises MemoryError, for which Lexbor has no word of its own."""
    try:
        return LexborHTMLParser(source, encoding=encoding)
    except SelectolaxError as error:
        raise MemoryError from error


def _metadata(tree: LexborHTMLParser) -> dict[str, str]:
    found = {"title": tree.css_first("title")}
    texts = {name: tidy_prose(node.text()) for name, node in found.items() if node}
    for name in ("author", "description", "keywords"):
        node = tree.css_first(f'meta[name="{name}" i]')
        texts[name] = tidy_prose((node.attributes.get("content") or "") if node else "")
    return {name: text for name, text in texts.items() if text}


def _merge(paragraphs: Iterator[Block]) -> Iterator[Block]:
    """Blocks under one heading, so that a page of a thousand paragraphs is no thousand blocks."""
    headings: tuple[str, ...] = ()
    texts: list[str] = []
    for paragraph in paragraphs:
        if paragraph.headings != headings:
            if has_text("".join(texts)):
                yield Block("\n\n".join(texts), headings=headings)
            headings, texts = paragraph.headings, []
        texts.append(paragraph.text)
    if has_text("".join(texts)):
        yield Block("\n\n".join(texts), headings=headings)


def _paragraphs(tree: LexborHTMLParser) -> Iterator[Block]:
    root = tree.body or tree.root
    if root is None:
        return
    path = HeadingPath()
    pending: list[str] = []
    for node, opens in _walk(root):
        tag = node.tag or ""
        if tag == "-text":
            pending.append(_text(node))
        elif tag == "br":
            pending.append("\n")
        elif tag in _CELLS:
            pending.append("" if opens else " | ")
        elif tag not in _INLINE:
            text = _lines("".join(pending))
            pending.clear()
            if text and not opens and tag in _LEVELS:
                path.enter(_LEVELS[tag], tidy_prose(text))
            if text:
                yield Block(text, headings=path.titles)
    if text := _lines("".join(pending)):
        yield Block(text, headings=path.titles)


def _walk(root: LexborNode) -> Iterator[tuple[LexborNode, bool]]:
    """Each node when it opens and when it closes, without recursion: the file decides how deep it nests."""
    node: LexborNode | None = root
    opens = True
    while node is not None:
        unseen = _is_unseen(node)
        if not unseen:
            yield node, opens
        if opens and not unseen and node.first_child is not None:
            node = node.first_child
        elif opens and not unseen and node.tag != "-text":
            opens = False
        elif node.mem_id == root.mem_id:
            return
        elif node.next is not None:
            node, opens = node.next, True
        else:
            node, opens = node.parent, False


def _is_unseen(node: LexborNode) -> bool:
    if node.tag == "-text":
        return False
    # A heading that opens and closes what is under it is a button.
    is_title = node.tag == "button" and node.parent is not None and node.parent.tag in _LEVELS
    return (node.tag in _UNSEEN and not is_title) or "hidden" in node.attributes


def _text(node: LexborNode) -> str:
    """The text of a text node; line ends are kept only where they are shown."""
    text = clean((node.text_content or "").translate(_MISLABELLED))
    parent = node.parent
    while parent is not None and parent.tag in _INLINE:
        parent = parent.parent
    return text if parent is not None and parent.tag in {"pre", "textarea"} else text.replace("\n", " ")


def _lines(text: str) -> str:
    lines = (tidy_prose(line).removesuffix("|").rstrip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)
