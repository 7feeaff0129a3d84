"""The formats that can be read, one file each behind one protocol."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from contracts.failures import DocumentFailed, FailureCode
from services.parser.formats import html, markdown, pdf, plain
from services.parser.formats.reading import Format, Reading, empty
from services.parser.parsed_document import Content
from services.runtime import media_types

FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        media_types.PDF: pdf.read,
        media_types.HTML: html.read,
        media_types.MARKDOWN: markdown.read,
        media_types.PLAIN: plain.read,
    }
)


def read(path: Path, media_type: str, reading: Reading) -> Content:
    """Read a file of a media type; raises DocumentFailed."""
    try:
        format_ = FORMATS[media_type]
    except KeyError:
        raise DocumentFailed(
            FailureCode.UNSUPPORTED_TYPE, f"Files of the type {media_type} can't be read."
        ) from None
    content = format_(path, reading)
    if not content.blocks:
        raise empty()
    return content
