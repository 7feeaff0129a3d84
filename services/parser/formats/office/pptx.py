"""PPTX (PresentationML): slide after slide, each under its title, with what the speaker has noted.

Slides that are hidden are left out, and so are dates, numbers and feet that stand on every slide.
"""

from collections.abc import Iterator
from pathlib import Path

from services.parser.formats.flow import Flow
from services.parser.formats.office.archive import Archive, damaged, opened
from services.parser.formats.office.properties import properties_of
from services.parser.formats.office.xml_tree import Element, attribute, child, children, descendants, name_of
from services.parser.formats.reading import MAX_PAGES, Reading
from services.parser.normalization import tidy_lines
from services.parser.parsed_document import Content

_ON_EVERY_SLIDE = frozenset({"sldNum", "dt", "ftr", "hdr"})
_TITLES = frozenset({"title", "ctrTitle"})


def read(path: Path, reading: Reading) -> Content:
    """Read a PPTX file; a slide is a page. Raises DocumentFailed."""
    with opened(path) as archive:
        main = archive.related("", "officeDocument") or "ppt/presentation.xml"
        slides = list(_slides(archive, main))[:MAX_PAGES]
        if not slides:
            raise damaged()
        flow = Flow()
        reading.on_page(0, len(slides))
        for number, name in enumerate(slides, start=1):
            _Slide(archive, name, flow, number).read()
            reading.on_page(number, len(slides))
        return Content(flow.blocks(), page_count=len(slides), metadata=_properties(archive))


def _properties(archive: Archive) -> dict[str, str]:
    found = properties_of(archive)
    if found.get("title") == "PowerPoint Presentation":  # which is what nobody has written
        del found["title"]
    return found


def _slides(archive: Archive, main: str) -> Iterator[str]:
    root = archive.tree(main)
    relations = archive.relations(main)
    listed = child(root, "sldIdLst") if root is not None else None
    for slide in listed if listed is not None else ():
        # The id of the relation, beside which the slide has one of its own.
        ids = (value for key, value in slide.attrib.items() if key.endswith("}id"))
        kind, name = relations.get(next(ids, ""), ("", ""))
        if kind == "slide" and name in archive.names:
            yield name


class _Slide:
    def __init__(self, archive: Archive, name: str, flow: Flow, number: int) -> None:
        self._archive = archive
        self._name = name
        self._flow = flow
        self._number = number

    def read(self) -> None:
        self._flow.turn_to(self._number)
        root = self._archive.tree(self._name)
        tree = child(root, "cSld", "spTree") if root is not None else None
        if root is None or tree is None or root.get("show") in {"0", "false"}:
            return
        shapes = list(_shapes(tree))
        titles = [shape for shape in shapes if _placeholder(shape) in _TITLES]
        title = " ".join(" ".join(map(_text, titles)).split())
        if title:
            self._flow.heading(1, title)
        else:
            self._flow.heading(1, f"Slide {self._number}", shown=False)
        for shape in shapes:
            if shape not in titles:
                self._shape(shape)
        self._notes()

    def _shape(self, shape: Element) -> None:
        if _placeholder(shape) in _ON_EVERY_SLIDE:
            return
        for table in descendants(shape, "tbl"):
            self._flow.table(_row(row) for row in children(table, "tr"))
        for diagram in descendants(shape, "relIds"):
            self._diagram(attribute(diagram, "dm"))
        body = child(shape, "txBody")
        self._flow.paragraph(_text(shape) if body is not None else "")
        for picture in descendants(shape, "cNvPr"):
            self._flow.paragraph(tidy_lines(picture.get("descr") or ""))

    def _diagram(self, relation: str | None) -> None:
        _, name = self._archive.relations(self._name).get(relation or "", ("", ""))
        root = self._archive.tree(name) if name else None
        if root is not None:
            self._flow.lines(map(_paragraph, descendants(root, "p")))

    def _notes(self) -> None:
        name = self._archive.related(self._name, "notesSlide")
        root = self._archive.tree(name) if name else None
        tree = child(root, "cSld", "spTree") if root is not None else None
        for shape in _shapes(tree) if tree is not None else ():
            if _placeholder(shape) == "body" and (text := _text(shape)):
                self._flow.paragraph(f"Notes: {text}")


def _shapes(tree: Element) -> Iterator[Element]:
    for shape in tree:
        name = name_of(shape)
        if name == "grpSp":
            yield from _shapes(shape)
        elif name == "AlternateContent":
            chosen = child(shape, "Choice")
            yield from _shapes(chosen) if chosen is not None else ()
        elif name in {"sp", "graphicFrame", "pic", "cxnSp"}:
            yield shape


def _placeholder(shape: Element) -> str:
    """The role of a shape; one without a name for it is a body's."""
    placeholder = next(descendants(shape, "ph"), None)
    return "" if placeholder is None else placeholder.get("type", "body")


def _text(shape: Element) -> str:
    body = child(shape, "txBody")
    return tidy_lines("\n".join(map(_paragraph, children(body, "p")))) if body is not None else ""


def _paragraph(paragraph: Element) -> str:
    parts: list[str] = []
    for part in paragraph.iter():
        name = name_of(part)
        if name == "t":
            parts.append(part.text or "")
        elif name in {"br", "tab"}:
            parts.append("\n" if name == "br" else " ")
    text = "".join(parts).strip()
    properties = child(paragraph, "pPr")
    if not text or properties is None:
        return text
    is_item = child(properties, "buChar") is not None or child(properties, "buAutoNum") is not None
    level = int(properties.get("lvl", "0") or 0) if properties.get("lvl", "0").isdigit() else 0
    return f"{'  ' * min(level, 8)}- {text}" if is_item or level else text


def _row(row: Element) -> list[str]:
    cells = []
    for cell in children(row, "tc"):
        paragraphs = (_paragraph(paragraph).removeprefix("- ") for paragraph in descendants(cell, "p"))
        cells.append("; ".join(filter(None, paragraphs)))
    return cells
