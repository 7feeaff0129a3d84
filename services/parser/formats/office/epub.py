"""EPUB: the chapters of a book in reading order, read as the HTML that they are."""

import posixpath
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from contracts.failures import DocumentFailed, FailureCode
from services.parser.formats.flow import Flow
from services.parser.formats.html.html import read_into
from services.parser.formats.office.archive import Archive, damaged, opened
from services.parser.formats.office.properties import dublin_core
from services.parser.formats.office.xml_tree import Element, attribute, child, children, descendants
from services.parser.formats.reading import Reading
from services.parser.parsed_document import Content

_CHAPTERS = frozenset({"application/xhtml+xml", "text/html", "application/x-dtbook+xml"})
_ONLY_FONTS = frozenset({
    "http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"
})  # fmt: skip


def read(path: Path, _reading: Reading) -> Content:
    """Read an EPUB file. Raises DocumentFailed."""
    with opened(path) as archive:
        _refuse_protected(archive)
        package = _package(archive)
        root = archive.tree(package)
        if root is None:
            raise damaged()
        flow = Flow()
        for name in _chapters(root, posixpath.dirname(package)):
            if data := archive.read(name):
                read_into(flow, data, is_xml=True)
        metadata = dublin_core(child(root, "metadata"))
        return Content(flow.blocks(), metadata=metadata)


def _package(archive: Archive) -> str:
    container = archive.tree("META-INF/container.xml")
    files = descendants(container, "rootfile") if container is not None else iter(())
    name = next((attribute(file, "full-path") for file in files), None)
    name = name or next((name for name in sorted(archive.names) if name.endswith(".opf")), None)
    if not name:
        raise damaged()
    return name


def _chapters(package: Element, folder: str) -> Iterator[str]:
    """The names of the chapters, but for the list of contents, which says them all again."""
    manifest, spine = child(package, "manifest"), child(package, "spine")
    if manifest is None or spine is None:
        raise damaged()
    items = {item.get("id"): item for item in children(manifest, "item")}
    for reference in children(spine, "itemref"):
        item = items.get(reference.get("idref"))
        if item is None or item.get("media-type") not in _CHAPTERS:
            continue
        if "nav" not in (item.get("properties") or "").split():
            yield posixpath.join(folder, unquote(item.get("href") or ""))


def _refuse_protected(archive: Archive) -> None:
    encryption = archive.tree("META-INF/encryption.xml")
    for method in descendants(encryption, "EncryptionMethod") if encryption is not None else ():
        # Fonts are scrambled in many books; that is no protection of the text.
        if method.get("Algorithm") not in _ONLY_FONTS and name_is_data(method):
            raise DocumentFailed(FailureCode.ENCRYPTED, "The book is protected against copying.")


def name_is_data(method: Element) -> bool:
    """Return whether what is encrypted is a member, and not a key."""
    return "EncryptedData" in str(method.getparent().tag)
