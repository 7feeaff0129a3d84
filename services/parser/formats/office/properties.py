"""What a package of office documents says about itself."""

from services.parser.formats.office.archive import Archive
from services.parser.formats.office.xml_tree import Element, name_of, text_of
from services.parser.normalization import tidy_prose

MAX_PROPERTY = 1000

_NAMES = {
    "title": "title",
    "creator": "author",
    "initial-creator": "author",
    "subject": "subject",
    "description": "description",
    "keywords": "keywords",
    "keyword": "keywords",
    "language": "language",
}


def properties_of(archive: Archive) -> dict[str, str]:
    """Return the properties of an OOXML package."""
    part = archive.related("", "core-properties") or "docProps/core.xml"
    return dublin_core(archive.tree(part))


def dublin_core(root: Element | None) -> dict[str, str]:
    """Return title, author and what else is known of an element's children; the first of each name."""
    found: dict[str, str] = {}
    for element in root if root is not None else ():
        name = _NAMES.get(name_of(element))
        text = tidy_prose(text_of(element))[:MAX_PROPERTY]
        if name and text:
            found.setdefault(name, text)
    return found
