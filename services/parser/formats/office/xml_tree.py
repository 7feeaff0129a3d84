"""XML of others: no entity is expanded, nothing outside is asked for, and names are told without namespaces."""

from collections.abc import Iterator
from typing import Any

from lxml import etree

from contracts.failures import DocumentFailed, FailureCode

Element = Any
"""lxml has no types; an element is iterable, and has ``tag``, ``text``, ``tail`` and ``get``."""


def parse_xml(data: bytes, *, forgiving: bool = False) -> Element:
    """Parse XML; ``forgiving`` reads on behind what is malformed. Raises DocumentFailed."""
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
        huge_tree=False,
        recover=forgiving,
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise DocumentFailed(FailureCode.CORRUPT, "The file is damaged: its XML is malformed.") from error
    if root is None:
        raise DocumentFailed(FailureCode.CORRUPT, "The file is damaged: there is no XML in it.")
    return root


def name_of(element: Element) -> str:
    """An element's name without its namespace; empty for an entity that is not expanded."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def attribute(element: Element, name: str) -> str | None:
    """An attribute's value, whatever its namespace."""
    for key, value in element.attrib.items():
        if key.rpartition("}")[2] == name:
            return str(value)
    return None


def children(element: Element, name: str) -> Iterator[Element]:
    """The children of a name."""
    return (child for child in element if name_of(child) == name)


def child(element: Element, *names: str) -> Element | None:
    """The first child of the first name, its first child of the second, and so on."""
    found: Element | None = element
    for name in names:
        if found is None:
            return None
        found = next(children(found, name), None)
    return found


def descendants(element: Element, *names: str) -> Iterator[Element]:
    """All elements below of these names, in order."""
    found: Iterator[Element] = element.iter(*(f"{{*}}{name}" for name in names))
    return found


def text_of(element: Element | None) -> str:
    """All text in an element."""
    return "" if element is None else "".join(element.itertext())
