"""DOCX (WordprocessingML): paragraphs, lists, tables, notes and remarks, in the order of the text.

What was deleted in tracked changes is left out, heads and feet of pages too: they say on each page the same.
"""

from collections.abc import Iterator
from pathlib import Path

from services.parser.characters.symbols import as_read
from services.parser.formats.flow import Flow
from services.parser.formats.office.archive import Archive, damaged, opened
from services.parser.formats.office.docx_styles import Numbering, Styles, int_of, outline_level, value
from services.parser.formats.office.properties import properties_of
from services.parser.formats.office.xml_tree import Element, attribute, child, children, descendants, name_of
from services.parser.formats.reading import Reading
from services.parser.normalization import tidy_lines
from services.parser.parsed_document import Content

_LEFT_OUT = frozenset({
    "del", "moveFrom", "instrText", "delText", "delInstrText", "pPr", "rPr", "sdtPr", "tblPr", "trPr", "tcPr",
    "Fallback", "object", "pict", "drawing", "fldData", "binData"
})  # fmt: skip
_SIGNS = {"tab": " ", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "ptab": " "}
_NOTES = {"footnoteReference": "footnotes", "endnoteReference": "endnotes", "commentReference": "comments"}
_SEPARATORS = frozenset({"separator", "continuationSeparator", "continuationNotice"})


def read(path: Path, _reading: Reading) -> Content:
    """Read a DOCX file. Raises DocumentFailed."""
    with opened(path) as archive:
        main = archive.related("", "officeDocument") or "word/document.xml"
        root = archive.tree(main)
        body = child(root, "body") if root is not None else None
        if body is None:
            raise damaged()
        document = _Document(archive, main)
        document.read(body)
        return Content(document.flow.blocks(), metadata=properties_of(archive))


class _Document:
    def __init__(self, archive: Archive, main: str) -> None:
        self.flow = Flow()
        self._styles = Styles(_tree(archive, main, "styles"))
        self._numbering = Numbering(_tree(archive, main, "numbering"))
        self._notes = {
            kind: _by_id(_tree(archive, main, kind)) for kind in ("footnotes", "endnotes", "comments")
        }

    def read(self, element: Element) -> None:
        """Read what stands below one another: paragraphs, tables, and boxes around them."""
        for part in element:
            name = name_of(part)
            if name == "p":
                self._paragraph(part)
            elif name == "tbl":
                self._table(part)
            elif name not in _LEFT_OUT:
                self.read(part)

    def _paragraph(self, paragraph: Element) -> None:
        properties = child(paragraph, "pPr")
        text = tidy_lines("".join(_texts(paragraph)))
        level, mark = self._role(properties)
        if level is not None and text:
            self.flow.heading(level, text)
        elif text:
            self.flow.paragraph(f"{mark}{text}" if mark else text)
        self._aside(paragraph)

    def _role(self, properties: Element | None) -> tuple[int | None, str]:
        if properties is None:
            return None, ""
        style = self._styles.of(value(child(properties, "pStyle")))
        level = outline_level(properties)
        level = style.level if level is None else level
        numbering = child(properties, "numPr")
        if level is not None:
            return level, ""
        return None, self._numbering.mark(style.numbering if numbering is None else numbering)

    def _aside(self, paragraph: Element) -> None:
        """What a paragraph has beside its text: boxes and alternative texts, then notes and remarks."""
        for drawing in descendants(paragraph, "drawing", "pict"):
            for picture in descendants(drawing, "docPr"):
                self.flow.paragraph(tidy_lines(picture.get("descr") or ""))
            if not _is_fallback(drawing):
                for box in descendants(drawing, "txbxContent"):
                    self.read(box)
        for reference in descendants(paragraph, *_NOTES):
            kind = name_of(reference)
            note = self._notes[_NOTES[kind]].pop(attribute(reference, "id"), None)
            if note is not None:
                self.flow.paragraph(_note(note))

    def _table(self, table: Element) -> None:
        rows = [self._row(row) for row in descendants_of_table(table)]
        if max(map(len, rows), default=0) > 1:
            self.flow.table(rows)
            for paragraph in descendants(table, "p"):
                self._aside(paragraph)
            return
        for row in descendants_of_table(table):  # a frame around text, and no table to its reader
            for cell in children(row, "tc"):
                self.read(cell)

    def _row(self, row: Element) -> list[str]:
        cells: list[str] = []
        for cell in _cells(row):
            cells.append(_cell_text(cell))
            span = child(cell, "tcPr", "gridSpan")
            cells += [""] * min(int_of(value(span)) - 1, 100)
        return cells


def descendants_of_table(table: Element) -> Iterator[Element]:
    """The rows of a table, and not those of tables in it."""
    for part in table:
        if name_of(part) == "tr":
            yield part
        elif name_of(part) in {"sdt", "sdtContent", "customXml", "ins"}:
            yield from descendants_of_table(part)


def _cells(row: Element) -> Iterator[Element]:
    for part in row:
        if name_of(part) == "tc":
            yield part
        elif name_of(part) in {"sdt", "sdtContent", "customXml"}:
            yield from _cells(part)


def _cell_text(cell: Element) -> str:
    paragraphs = ("".join(_texts(paragraph)).strip() for paragraph in descendants(cell, "p"))
    return "; ".join(filter(None, paragraphs))


def _texts(element: Element) -> Iterator[str]:
    for part in element:
        name = name_of(part)
        if name == "t":
            yield part.text or ""
        elif name in _SIGNS:
            yield _SIGNS[name]
        elif name == "sym":
            yield _symbol(attribute(part, "char") or "")
        elif name not in _LEFT_OUT and name not in {"p", "tbl"}:
            yield from _texts(part)


def _symbol(code: str) -> str:
    try:
        return as_read(chr(int(code, 16)))
    except (ValueError, OverflowError):
        return ""


def _is_fallback(element: Element) -> bool:
    return any(name_of(above) == "Fallback" for above in element.iterancestors())


def _tree(archive: Archive, main: str, kind: str) -> Element | None:
    name = archive.related(main, kind)
    return archive.tree(name) if name else None


def _by_id(root: Element | None) -> dict[str | None, Element]:
    notes = list(root) if root is not None else []
    return {attribute(note, "id"): note for note in notes if attribute(note, "type") not in _SEPARATORS}


def _note(note: Element) -> str:
    paragraphs = ("".join(_texts(paragraph)).strip() for paragraph in descendants(note, "p"))
    kind = {"footnote": "Footnote", "endnote": "Endnote"}.get(name_of(note), "Comment")
    author = attribute(note, "author")
    text = " ".join(filter(None, paragraphs))
    return f"{kind}{f' by {author}' if author else ''}: {text}" if text else ""
