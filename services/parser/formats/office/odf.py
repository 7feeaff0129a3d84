"""OpenDocument text and presentations (ODT, ODP): paragraphs, lists, tables, notes and remarks."""

from collections.abc import Iterator
from pathlib import Path

from contracts.failures import DocumentFailed, FailureCode
from services.parser.formats.flow import Flow
from services.parser.formats.office.archive import Archive, damaged, opened
from services.parser.formats.office.properties import dublin_core
from services.parser.formats.office.xml_tree import Element, attribute, child, children, descendants, name_of
from services.parser.formats.reading import Reading
from services.parser.normalization import tidy_lines
from services.parser.parsed_document import Content

_LEFT_OUT = frozenset({
    "tracked-changes", "sequence-decls", "forms", "annotation-end", "object", "object-ole", "settings", "shapes"
})  # fmt: skip
_LEFT_OUT_OF_LINES = _LEFT_OUT | {"note", "annotation", "text-box", "table", "desc", "title"}
_MOST_SPACES = 100
_MOST_REPEATED = 1000


def read(path: Path, reading: Reading) -> Content:
    """Read an ODT or ODP file; a slide is a page. Raises DocumentFailed."""
    with opened(path) as archive:
        refuse_encrypted(archive)
        root = archive.tree("content.xml")
        body = child(root, "body") if root is not None else None
        if body is None:
            raise damaged()
        document = _Document(_title_styles(root))
        pages = [page for kind in body for page in children(kind, "page") if name_of(kind) == "presentation"]
        reading.on_page(0, len(pages))
        for number, page in enumerate(pages, start=1):
            document.slide(page, number)
            reading.on_page(number, len(pages))
        if not pages:
            document.read(body)
        meta = archive.tree("meta.xml")
        about = dublin_core(child(meta, "meta") if meta is not None else None)
        return Content(document.flow.blocks(), page_count=len(pages) or None, metadata=about)


def refuse_encrypted(archive: Archive) -> None:
    """Raise DocumentFailed where the manifest says that a member is encrypted."""
    manifest = archive.tree("META-INF/manifest.xml")
    if manifest is not None and next(descendants(manifest, "encryption-data"), None) is not None:
        raise DocumentFailed(FailureCode.ENCRYPTED, "The document is protected by a password.")


def _title_styles(root: Element) -> frozenset[str]:
    """The automatic styles that are made of the style of titles."""
    styles = descendants(root, "style")
    made = {
        attribute(style, "name") or "" for style in styles if attribute(style, "parent-style-name") == "Title"
    }
    return frozenset({"Title", *made})


class _Document:
    def __init__(self, title_styles: frozenset[str]) -> None:
        self.flow = Flow()
        self._title_styles = title_styles

    def slide(self, page: Element, number: int) -> None:
        self.flow.turn_to(number)
        titles = [frame for frame in children(page, "frame") if attribute(frame, "class") == "title"]
        title = " ".join(_line(paragraph) for frame in titles for paragraph in descendants(frame, "p", "h"))
        if title.strip():
            self.flow.heading(1, title)
        else:
            self.flow.heading(1, attribute(page, "name") or f"Slide {number}", shown=False)
        for part in page:
            if name_of(part) == "notes":
                text = " ".join(_line(paragraph) for paragraph in descendants(part, "p"))
                self.flow.paragraph(f"Notes: {text}" if text.strip() else "")
            elif part not in titles:
                self.read([part])

    def read(self, parts: Element, indent: str = "") -> None:
        """Read what stands below one another."""
        for part in parts:
            name = name_of(part)
            if name == "h":
                level = attribute(part, "outline-level") or "1"
                self.flow.heading(int(level) if level.isdigit() else 1, _line(part))
                self._aside(part)
            elif name == "p":
                self._paragraph(part, indent)
            elif name == "list":
                self._list(part, indent)
            elif name == "table":
                self._table(part)
            elif name in {"desc", "title"}:
                self.flow.paragraph(_line(part))
            elif name not in _LEFT_OUT:
                self.read(part, indent)

    def _paragraph(self, paragraph: Element, indent: str) -> None:
        text = _line(paragraph)
        if attribute(paragraph, "style-name") in self._title_styles:
            self.flow.heading(0, text)
        elif text:
            self.flow.paragraph(f"{indent}{text}")
        self._aside(paragraph)

    def _list(self, items: Element, indent: str) -> None:
        for item in items:
            for part in item:
                if name_of(part) == "list":
                    self._list(part, f"  {indent}" if indent else "  - ")
                else:
                    self.read([part], indent or "- ")

    def _aside(self, paragraph: Element) -> None:
        for part in descendants(paragraph, "note", "annotation", "frame", "custom-shape"):
            name = name_of(part)
            if name == "note":
                text = " ".join(_line(one) for one in descendants(part, "p"))
                self.flow.paragraph(
                    f"{'Endnote' if attribute(part, 'note-class') == 'endnote' else 'Footnote'}: {text}"
                )
            elif name == "annotation":
                self.flow.paragraph(_remark(part))
            else:
                self.read(part)

    def _table(self, table: Element) -> None:
        rows = [list(_row(row)) for row in _rows(table)]
        if max(map(len, rows), default=0) > 1:
            self.flow.table(rows)
            return
        for cell in descendants(table, "table-cell"):  # a frame around text
            self.read(cell)


def _note(note: Element) -> str:
    kind = "Endnote" if attribute(note, "note-class") == "endnote" else "Footnote"
    return f"{kind}: {' '.join(_line(one) for one in descendants(note, 'p'))}"


def _remark(annotation: Element) -> str:
    author = "".join(_line(part) for part in children(annotation, "creator"))
    text = " ".join(_line(one) for one in descendants(annotation, "p"))
    return f"Comment{f' by {author}' if author else ''}: {text}" if text else ""


def _rows(table: Element) -> Iterator[Element]:
    for part in table:
        if name_of(part) == "table-row":
            yield part
        elif name_of(part) in {"table-header-rows", "table-rows", "table-row-group"}:
            yield from _rows(part)


def _row(row: Element) -> Iterator[str]:
    for cell in row:
        if name_of(cell) not in {"table-cell", "covered-table-cell"}:
            continue
        repeated = attribute(cell, "number-columns-repeated") or "1"
        text = "; ".join(filter(None, (_line(one) for one in descendants(cell, "p", "h"))))
        for _ in range(min(int(repeated) if repeated.isdigit() else 1, _MOST_REPEATED)):
            yield text


def _line(paragraph: Element) -> str:
    return tidy_lines("".join(_texts(paragraph)))


def _texts(element: Element) -> Iterator[str]:
    yield _joined(element.text)
    for part in element:
        name = name_of(part)
        if name == "s":
            count = attribute(part, "c") or "1"
            yield " " * min(int(count) if count.isdigit() else 1, _MOST_SPACES)
        elif name in {"tab", "line-break"}:
            yield " " if name == "tab" else "\n"
        elif name not in _LEFT_OUT_OF_LINES:
            yield from _texts(part)
        yield _joined(part.tail)


def _joined(text: str | None) -> str:
    return (text or "").replace("\n", " ")
