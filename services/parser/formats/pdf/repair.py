"""qpdf's repair of a damaged PDF, which is tried last: it finds the objects of a file that was cut off."""

from io import BytesIO
from pathlib import Path

import pikepdf

from services.parser.formats.swallowed_errors import SwallowedErrors

MOST_BYTES = 100 * 1_048_576
_MARK = b"%PDF-1.7\n"


def mended(path: Path, swallowed: SwallowedErrors) -> bytes | None:
    """Return a file as it is when it is repaired; None when it can't be."""
    data = path.read_bytes()
    if len(data) > MOST_BYTES:
        return None
    with swallowed:
        # Into memory: the process may write no file.
        out = BytesIO()
        source = BytesIO(data if b"%PDF-" in data[:1024] else _MARK + data)
        with pikepdf.open(source) as document:
            document.save(out)
        return out.getvalue()
    return None
