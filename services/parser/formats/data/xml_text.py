"""XML of any kind: its texts in their order, those of records beside their names."""

from pathlib import Path

from contracts.failures import DocumentFailed
from services.parser.formats.decoding import decode
from services.parser.formats.flow import Flow
from services.parser.formats.html.html import read_into
from services.parser.formats.office.xml_tree import Element, name_of, parse_xml, text_of
from services.parser.formats.reading import Reading
from services.parser.normalization import has_text, tidy_prose
from services.parser.parsed_document import Content

_HEADINGS = frozenset({"title", "head", "heading"})
_ABOUT = {
    "title": "title",
    "author": "author",
    "creator": "author",
    "language": "language",
    "description": "description",
}
_NOT_SHOWN = frozenset({"schemaLocation", "noNamespaceSchemaLocation", "space"})
_DEEPEST_HEADING = 6


def read(path: Path, reading: Reading) -> Content:
    """Read an XML file; what is malformed is read as far as it goes. Raises DocumentFailed."""
    data = path.read_bytes()
    flow = Flow()
    try:
        root = _parsed(data)
    except DocumentFailed:
        read_into(flow, data, is_xml=True)  # marks and texts, which is what is left of it
        return Content(flow.blocks())
    _Tree(flow, reading).read(root, 1)
    return Content(flow.blocks(), metadata=_about(root))


def _parsed(data: bytes) -> Element:
    try:
        return parse_xml(data)
    except DocumentFailed:
        # Often it is the encoding that is not what is declared.
        text = decode(data)
        _, declaration, rest = text.partition("?>") if text.lstrip().startswith("<?xml") else ("", "", text)
        return parse_xml((rest if declaration else text).encode(), forgiving=True)


class _Tree:
    def __init__(self, flow: Flow, reading: Reading) -> None:
        self._flow = flow
        self._reading = reading

    def read(self, element: Element, depth: int) -> None:
        """Read an element and what is in it; how deep they nest is limited by the parser."""
        self._reading.get_on()
        name = name_of(element)
        if not name:
            return
        attributes = _attributes(element)
        if len(element) == 0 or _is_prose(element):
            self._leaf(name, attributes, tidy_prose(text_of(element)), depth)
            return
        self._flow.paragraph(f"{name} {attributes}" if attributes else "")
        self._text(element.text)
        for part in element:
            self.read(part, depth + 1)
            self._text(part.tail)

    def _leaf(self, name: str, attributes: str, text: str, depth: int) -> None:
        if name in _HEADINGS and has_text(text):
            self._flow.heading(min(depth, _DEEPEST_HEADING), text)
        elif text and len(name) > 1 and name not in {"para", "simpara", "text", "item", "lb"}:
            self._flow.paragraph(f"{name}{f' ({attributes})' if attributes else ''}: {text}")
        else:
            self._flow.paragraph(text or (f"{name} {attributes}" if attributes else ""))

    def _text(self, text: str | None) -> None:
        self._flow.paragraph(tidy_prose(text or ""))


def _is_prose(element: Element) -> bool:
    """Return whether words stand between an element's children, which are marks in a sentence then."""
    texts = [element.text, *(part.tail for part in element)]
    return any(text and has_text(text) for text in texts) and all(len(part) == 0 for part in element)


def _attributes(element: Element) -> str:
    pairs = ((key.rpartition("}")[2], str(value)) for key, value in element.attrib.items())
    shown = (f"{key}={tidy_prose(value)}" for key, value in pairs if key not in _NOT_SHOWN and value.strip())
    return " ".join(shown)


def _about(root: Element) -> dict[str, str]:
    """What a document says about itself at its head."""
    found: dict[str, str] = {}
    heads = [
        root,
        *(part for part in root if name_of(part) in {"info", "head", "header", "channel", "metadata"}),
    ]
    for head in heads:
        for part in head:
            name = _ABOUT.get(name_of(part))
            text = tidy_prose(text_of(part))[:1000]
            if name and text:
                found.setdefault(name, text)
    return found
