"""The styles and lists of a DOCX: which paragraphs are headings, and which are items of a list."""

from collections import defaultdict
from dataclasses import dataclass, field

from services.parser.formats.office.xml_tree import Element, attribute, child, children

_DEEPEST_STYLE = 20
_TITLE_LEVEL = 0
_DEEPEST_HEADING = 9


@dataclass(frozen=True)
class Style:
    """What a style says of its paragraphs; a level is that of a heading."""

    level: int | None
    numbering: Element | None


class Styles:
    """Styles by their ids, each with what it has from those that it is based on."""

    def __init__(self, root: Element | None) -> None:
        self._elements = {
            attribute(style, "styleId"): style
            for style in (children(root, "style") if root is not None else ())
        }
        self._styles: dict[str | None, Style] = {}

    def of(self, style_id: str | None) -> Style:
        """Return the style of an id; an id that is none is that of plain text."""
        if style_id not in self._styles:
            self._styles[style_id] = self._resolved(style_id)
        return self._styles[style_id]

    def _resolved(self, style_id: str | None) -> Style:
        level, numbering = None, None
        for _ in range(_DEEPEST_STYLE):
            style = self._elements.get(style_id)
            if style is None:
                break
            properties = child(style, "pPr")
            level = _level_of(style, properties) if level is None else level
            if numbering is None and properties is not None:
                numbering = child(properties, "numPr")
            style_id = value(child(style, "basedOn"))
        return Style(level, numbering)


@dataclass
class Numbering:
    """The marks of lists' items, counted as they come."""

    root: Element | None
    _counts: defaultdict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    _formats: dict[tuple[str, int], str] = field(default_factory=dict)

    def mark(self, properties: Element | None) -> str:
        """Return what stands before an item: a dash, a number, or nothing where it is in no list."""
        number_id = value(child(properties, "numId")) if properties is not None else None
        if not number_id or number_id == "0":
            return ""
        level = min(int_of(value(child(properties, "ilvl"))), _DEEPEST_HEADING)
        indent = "  " * level
        if self._format(number_id, level) in {"bullet", "none", ""}:
            return f"{indent}- "
        self._counts[number_id, level] += 1
        for deeper in range(level + 1, _DEEPEST_HEADING + 1):
            self._counts.pop((number_id, deeper), None)
        return f"{indent}{self._counts[number_id, level]}. "

    def _format(self, number_id: str, level: int) -> str:
        key = (number_id, level)
        if key not in self._formats:
            self._formats[key] = self._find_format(number_id, str(level))
        return self._formats[key]

    def _find_format(self, number_id: str, level: str) -> str:
        if self.root is None:
            return ""
        abstract = None
        for number in children(self.root, "num"):
            if attribute(number, "numId") == number_id:
                abstract = value(child(number, "abstractNumId"))
        for definition in children(self.root, "abstractNum"):
            if attribute(definition, "abstractNumId") == abstract:
                for one in children(definition, "lvl"):
                    if attribute(one, "ilvl") == level:
                        return value(child(one, "numFmt")) or ""
        return ""


def value(element: Element | None) -> str | None:
    """The attribute ``val``, in which WordprocessingML puts most of what it says."""
    return None if element is None else attribute(element, "val")


def int_of(text: str | None) -> int:
    """A number, 0 where there is none."""
    return int(text) if text and text.isdigit() else 0


def outline_level(properties: Element | None) -> int | None:
    """The level of a heading that a paragraph's properties give, counted from 1."""
    level = value(child(properties, "outlineLvl")) if properties is not None else None
    number = int_of(level) + 1
    return number if level is not None and number <= _DEEPEST_HEADING else None


def _level_of(style: Element, properties: Element | None) -> int | None:
    name = (value(child(style, "name")) or "").casefold()
    if name == "title":
        return _TITLE_LEVEL
    last = name.removeprefix("heading").strip()
    if name.startswith("heading") and last.isdigit():
        return int(last)
    return outline_level(properties)
