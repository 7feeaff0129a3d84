"""The kinds of documents that are read: their media types, their names for people and the endings of their files.

The one place that lists them: the page, its file dialog, the refusal of others and the README are held to it.
"""

from dataclasses import dataclass

PDF = "application/pdf"
HTML = "text/html"
MARKDOWN = "text/markdown"
PLAIN = "text/plain"
_OOXML = "application/vnd.openxmlformats-officedocument"
DOCX = f"{_OOXML}.wordprocessingml.document"
PPTX = f"{_OOXML}.presentationml.presentation"
XLSX = f"{_OOXML}.spreadsheetml.sheet"
XLS = "application/vnd.ms-excel"
_ODF = "application/vnd.oasis.opendocument"
ODT = f"{_ODF}.text"
ODP = f"{_ODF}.presentation"
ODS = f"{_ODF}.spreadsheet"
EPUB = "application/epub+zip"
RTF = "application/rtf"
MAIL = "message/rfc822"
CSV = "text/csv"
TSV = "text/tab-separated-values"
JSON = "application/json"
JSON_LINES = "application/x-ndjson"
XML = "application/xml"
UNKNOWN = "application/octet-stream"


@dataclass(frozen=True)
class Kind:
    """A kind of document. ``endings`` are those that its files usually have; a text without one is read too."""

    media_type: str
    name: str
    endings: tuple[str, ...]


KINDS = (
    Kind(PDF, "PDF", (".pdf",)),
    Kind(DOCX, "Word", (".docx", ".docm", ".dotx")),
    Kind(PPTX, "PowerPoint", (".pptx", ".pptm", ".ppsx")),
    Kind(XLSX, "Excel", (".xlsx", ".xlsm", ".xlsb")),
    Kind(XLS, "Excel 97", (".xls",)),
    Kind(ODT, "OpenDocument text", (".odt", ".ott")),
    Kind(ODP, "OpenDocument slides", (".odp", ".otp")),
    Kind(ODS, "OpenDocument sheet", (".ods", ".ots")),
    Kind(EPUB, "EPUB", (".epub",)),
    Kind(HTML, "HTML", (".html", ".htm", ".xhtml")),
    Kind(MARKDOWN, "Markdown", (".md", ".markdown", ".mdown")),
    Kind(RTF, "RTF", (".rtf",)),
    Kind(MAIL, "Mail", (".eml",)),
    Kind(CSV, "CSV", (".csv",)),
    Kind(TSV, "TSV", (".tsv", ".tab")),
    Kind(JSON, "JSON", (".json", ".ipynb", ".geojson")),
    Kind(JSON_LINES, "JSON Lines", (".jsonl", ".ndjson")),
    Kind(XML, "XML", (".xml", ".rss", ".atom")),
    Kind(PLAIN, "Text", (".txt", ".text", ".log", ".rst", ".tex")),
)

SUPPORTED: frozenset[str] = frozenset(kind.media_type for kind in KINDS)
"""Media types that the parser reads."""


def spoken() -> str:
    """Name all kinds, for a sentence."""
    *names, last = dict.fromkeys(kind.name for kind in KINDS)
    return f"{', '.join(names)} and {last}"
