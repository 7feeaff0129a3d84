"""The address of the PostgreSQL that ``make up`` runs in DATA_DIR, for it and for whoever else connects there."""

import hashlib
import os
import tempfile
from pathlib import Path
from urllib.parse import quote

LONGEST_SOCKET = 100
"""Bytes in the path of a Unix socket; the kernel takes 107."""


def socket_directory(directory: Path) -> Path:
    """Return where the server of ``directory`` has its socket: in there, or in /tmp if that path is too long."""
    directory = directory.resolve()
    if len(os.fsencode(directory / ".s.PGSQL.5432")) <= LONGEST_SOCKET:
        return directory
    digest = hashlib.sha256(os.fsencode(directory)).hexdigest()
    return Path(tempfile.gettempdir(), f"stagecast-{digest[:16]}")


def embedded_url(directory: Path, database: str = "stagecast") -> str:
    """Return the URL of a database of the server of ``directory``, whether or not it runs."""
    return f"postgresql://postgres@/{database}?host={quote(str(socket_directory(directory)), safe='/')}"
