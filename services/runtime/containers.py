"""What a container holds, a zip archive or Microsoft's of before it, told by the beginning of the file."""

import re
import zlib

from services.runtime.kinds import DOCX, EPUB, ODP, ODS, ODT, PPTX, XLS, XLSX

ZIP_MARK = b"PK\x03\x04"
OLE_MARK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ZIP = "application/zip"
OLE = "application/x-ole-storage"

_DECLARED = frozenset({ODT, ODP, ODS, EPUB})
_OFFICE_MEMBERS = {b"word/": DOCX, b"xl/": XLSX, b"ppt/": PPTX}
_MAIN_PARTS = {b"wordprocessingml": DOCX, b"ms-word": DOCX, b"spreadsheetml": XLSX, b"ms-excel": XLSX,
    b"presentationml": PPTX, b"ms-powerpoint": PPTX}  # fmt: skip
_BY_ENDING = {
    ".docx": DOCX, ".docm": DOCX, ".pptx": PPTX, ".pptm": PPTX, ".xlsx": XLSX, ".xlsm": XLSX, ".xlsb": XLSX,
    ".xls": XLS, ".odt": ODT, ".odp": ODP, ".ods": ODS,
}  # fmt: skip
_LOCAL_HEADER = 30
_MOST_UNPACKED = 262_144


def zip_type(head: bytes, ending: str) -> str:
    """Return the type of what a zip archive contains, told by its first members."""
    # OpenDocument and EPUB begin with an uncompressed member that is the media type (OCF 3.3, 4.3).
    if declared := re.match(rb"PK\x03\x04.{26}mimetype([a-z0-9.+/-]{3,100})(?=PK)", head, re.DOTALL):
        kind = declared[1].decode().removesuffix("-template")
        return kind if kind in _DECLARED or kind.startswith("application/vnd.oasis.") else ZIP
    if kind := next((kind for member, kind in _OFFICE_MEMBERS.items() if _has_member(head, member)), ""):
        return kind
    if kind := _by_content_types(head):
        return kind
    if _has_member(head, b"META-INF/container.xml"):
        return EPUB
    # A maker that puts the type elsewhere; the ending decides only among those that have this member.
    is_open_document = _has_member(head, b"content.xml") and _has_member(head, b"styles.xml")
    return _BY_ENDING.get(ending, ZIP) if is_open_document else ZIP


def _has_member(head: bytes, name: bytes) -> bool:
    return re.search(rb"PK\x03\x04.{26}" + re.escape(name), head, re.DOTALL) is not None


def _by_content_types(head: bytes) -> str:
    """The type of a package whose pictures come first: it lists its parts at its beginning."""
    name = b"[Content_Types].xml"
    if head[_LOCAL_HEADER : _LOCAL_HEADER + len(name)] != name:
        return ""
    start = _LOCAL_HEADER + len(name) + int.from_bytes(head[28:30], "little")
    try:
        listed = (
            zlib.decompressobj(-15).decompress(head[start:], _MOST_UNPACKED)
            if head[8:10] == b"\x08\0"
            else head
        )
    except zlib.error:
        return ""
    mains = re.findall(rb'ContentType="([^"]{1,200}main[^"]{0,40})"', listed)
    return next((kind for main in mains for word, kind in _MAIN_PARTS.items() if word in main), "")


def ole_type(head: bytes, ending: str) -> str:
    """Return the type of what is in Microsoft's old container, which also holds what is encrypted."""
    named = _BY_ENDING.get(ending)
    if _has_stream(head, "EncryptedPackage"):
        return named if named in {DOCX, PPTX, XLSX} else DOCX
    if _has_stream(head, "WordDocument"):
        return "application/msword"
    if _has_stream(head, "PowerPoint Document"):
        return "application/vnd.ms-powerpoint"
    if _has_stream(head, "Workbook") or _has_stream(head, "Book"):
        return XLS
    # The list of what it holds may stand at the end of the file. Then the ending says what its reader may find.
    return named if named in {DOCX, PPTX, XLSX, XLS} else OLE


def _has_stream(head: bytes, name: str) -> bool:
    # As the list has it, with the zeros that fill the name's room: a text may say it too.
    return name.encode("utf-16-le") + b"\0\0" in head
