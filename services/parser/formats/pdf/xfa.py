"""Forms that are made of XML (XFA): their values beside their names, and the words printed on them.

The pages of such a file are a shell that asks for another viewer; it is never passed off as the document.
"""

from collections.abc import Iterator, Mapping

from contracts.failures import DocumentFailed, FailureCode
from services.parser.formats.office.xml_tree import Element, child, children, descendants, name_of, parse_xml
from services.parser.normalization import has_text, tidy_prose

_SHELL = ("please wait", "adobe.com/go/reader", "if this message is not eventually replaced")


def is_shell(text: str) -> bool:
    """Return whether the text of a page only asks to wait for the form."""
    said = " ".join(text.casefold().split())
    return any(sign in said for sign in _SHELL)


def form_text(packets: Mapping[str, bytes]) -> str:
    """Return the text of a form; empty where its packets have none. Raises DocumentFailed."""
    template, datasets = packets.get("template", b""), packets.get("datasets", b"")
    lines = [*_printed(template), *_values(datasets)]
    return "\n".join(dict.fromkeys(lines))


def unreadable_form() -> DocumentFailed:
    """The failure of a form of which only the shell can be read."""
    return DocumentFailed(
        FailureCode.UNSUPPORTED_TYPE,
        "The PDF is an XFA form whose contents can't be read. Open it in Adobe Reader and print it to a PDF.",
    )


def _printed(template: bytes) -> Iterator[str]:
    for draw in descendants(parse_xml(template), "text", "exData") if template else ():
        if text := tidy_prose(" ".join(draw.itertext())):
            yield text


def _values(datasets: bytes) -> Iterator[str]:
    root = parse_xml(datasets) if datasets else None
    data = child(root, "data") if root is not None else None
    for form in data if data is not None else ():
        yield from _leaves(form)


def _leaves(element: Element) -> Iterator[str]:
    if not len(element):
        if has_text(text := tidy_prose(element.text or "")):
            yield f"{name_of(element)}: {text}"
        return
    if any(name_of(part) == "body" for part in children(element, "body")):  # text with marks, in XHTML
        yield f"{name_of(element)}: {tidy_prose(' '.join(element.itertext()))}"
        return
    for part in element:
        yield from _leaves(part)
