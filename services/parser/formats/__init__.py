"""The formats that can be read, one file each behind one protocol."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from contracts.failures import DocumentFailed, FailureCode
from services.parser.formats import markdown, plain
from services.parser.formats.data import csv_table, json_values, mail, rtf, xml_text
from services.parser.formats.html import html
from services.parser.formats.office import docx, epub, odf, pptx, sheets
from services.parser.formats.pdf import pdf
from services.parser.formats.reading import Format, Reading, empty
from services.parser.parsed_document import Content
from services.runtime import media_types

FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        media_types.PDF: pdf.read,
        media_types.DOCX: docx.read,
        media_types.PPTX: pptx.read,
        media_types.XLSX: sheets.read,
        media_types.XLS: sheets.read,
        media_types.ODT: odf.read,
        media_types.ODP: odf.read,
        media_types.ODS: sheets.read,
        media_types.EPUB: epub.read,
        media_types.RTF: rtf.read,
        media_types.MAIL: mail.read,
        media_types.CSV: csv_table.read,
        media_types.TSV: csv_table.read,
        media_types.JSON: json_values.read,
        media_types.JSON_LINES: json_values.read,
        media_types.XML: xml_text.read,
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
    try:
        content = format_(path, reading)
    except RecursionError as error:
        raise DocumentFailed(FailureCode.CORRUPT, "The document nests its parts too deeply.") from error
    if not content.blocks:
        raise empty()
    return content
