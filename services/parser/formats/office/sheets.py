"""Sheets (XLSX, XLSM, XLSB, XLS, ODS): each under its name, a row a line, with the names of its columns.

Values and not formulas; sheets that are hidden are left out.
"""

import datetime
import zipfile
from collections.abc import Iterator
from pathlib import Path

import python_calamine

from contracts.failures import DocumentFailed, FailureCode
from services.parser.formats.flow import Flow
from services.parser.formats.office.archive import Archive, damaged, opened
from services.parser.formats.office.odf import refuse_encrypted
from services.parser.formats.office.properties import dublin_core, properties_of
from services.parser.formats.office.xml_tree import child
from services.parser.formats.reading import Reading
from services.parser.parsed_document import Content

MAX_UNPACKED_BYTES = 512 * 1_048_576
"""Of all members of an archive, as its directory has it. One that lies runs into the limit on memory."""
MAX_CELLS = 20_000_000

_VISIBLE = python_calamine.SheetVisibleEnum.Visible
Cell = str | float | bool | datetime.datetime | datetime.date | datetime.time | datetime.timedelta


def read(path: Path, _reading: Reading) -> Content:
    """Read a workbook. Raises DocumentFailed."""
    metadata = _about(path) if zipfile.is_zipfile(path) else {}
    flow = Flow()
    try:
        with path.open("rb") as file, python_calamine.CalamineWorkbook.from_filelike(file) as workbook:
            for sheet in workbook.sheets_metadata:
                if sheet.visible == _VISIBLE:
                    _read_sheet(workbook, sheet.name, flow)
    except python_calamine.PasswordError as error:
        raise DocumentFailed(FailureCode.ENCRYPTED, "The document is protected by a password.") from error
    except python_calamine.CalamineError as error:
        if "encrypt" in str(error).casefold() or "password" in str(error).casefold():
            raise DocumentFailed(FailureCode.ENCRYPTED, "The document is protected by a password.") from error
        raise damaged() from error
    return Content(flow.blocks(), metadata=metadata)


def _about(path: Path) -> dict[str, str]:
    with opened(path) as archive, zipfile.ZipFile(path) as file:
        if sum(member.file_size for member in file.infolist()) > MAX_UNPACKED_BYTES:
            raise DocumentFailed(FailureCode.TOO_LARGE, "The document unpacks to more than is read.")
        if "mimetype" in archive.names:
            refuse_encrypted(archive)
            return _about_ods(archive)
        return properties_of(archive)


def _about_ods(archive: Archive) -> dict[str, str]:
    meta = archive.tree("meta.xml")
    return dublin_core(child(meta, "meta") if meta is not None else None)


def _read_sheet(workbook: python_calamine.CalamineWorkbook, name: str, flow: Flow) -> None:
    sheet = workbook.get_sheet_by_name(name)
    # A cell far out makes a sheet of nothing that is as large as its corner says.
    if sheet.height * sheet.width > MAX_CELLS:
        raise DocumentFailed(FailureCode.TOO_LARGE, "A sheet of the document has more cells than are read.")
    flow.heading(1, name)
    flow.table(_rows(sheet))


def _rows(sheet: python_calamine.CalamineSheet) -> Iterator[list[str]]:
    for row in sheet.iter_rows():
        yield [_shown(cell) for cell in row]


def _shown(cell: Cell) -> str:
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float):
        return f"{cell:.0f}" if cell.is_integer() and abs(cell) < 1e15 else f"{cell:.15g}"
    if isinstance(cell, datetime.datetime):
        return cell.strftime("%Y-%m-%d %H:%M:%S").removesuffix(" 00:00:00")
    return str(cell)
