"""A zip archive whose members are read one by one, and none for longer than is bearable."""

import posixpath
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import unquote

from contracts.failures import DocumentFailed, FailureCode
from services.parser.formats.office.xml_tree import Element, parse_xml

MAX_MEMBER_BYTES = 96 * 1_048_576
"""Of a member when it is unpacked: far more than a book has, and the tree of it still fits."""
MAX_MEMBERS = 50_000
_CHUNK = 1_048_576
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""Office packs an encrypted document into the container of its old formats."""

_ENCRYPTED = DocumentFailed(FailureCode.ENCRYPTED, "The document is protected by a password.")


class Archive:
    """An open archive; every method raises DocumentFailed."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file
        self.names = frozenset(file.namelist())

    def read(self, name: str) -> bytes:
        """Unpack a member; one that is missing is empty."""
        name = posixpath.normpath(name).lstrip("/")
        if name not in self.names:
            return b""
        try:
            with self._file.open(name) as member:
                return _bounded(member)
        except RuntimeError as error:  # zipfile has no name for a password that it wants
            raise _ENCRYPTED from error
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
            raise damaged() from error

    def tree(self, name: str) -> Element | None:
        """Parse a member as XML; None where it is missing or empty."""
        data = self.read(name)
        return parse_xml(data) if data else None

    def relations(self, part: str) -> dict[str, tuple[str, str]]:
        """Return what a part of an OOXML package refers to by id: the last word of the kind, and the member's name.

        What lies outside of the package is left out, and never asked for.
        """
        folder, name = posixpath.split(part)
        root = self.tree(f"{folder}/_rels/{name}.rels" if folder else f"_rels/{name}.rels")
        found = {}
        for relation in root if root is not None else ():
            kind, target = relation.get("Type", ""), relation.get("Target", "")
            if relation.get("TargetMode") != "External" and target:
                place = posixpath.normpath(posixpath.join("/", folder, unquote(target))).lstrip("/")
                found[relation.get("Id", "")] = (kind.rsplit("/", 1)[-1], place)
        return found

    def related(self, part: str, kind: str) -> str | None:
        """Return the first member of a kind that a part refers to."""
        return next((name for found, name in self.relations(part).values() if found == kind), None)


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """Open an archive; raises DocumentFailed."""
    try:
        file = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        with path.open("rb") as whole:
            if whole.read(len(_OLE)) == _OLE:
                raise _ENCRYPTED from error
        raise damaged() from error
    with file:
        if len(file.infolist()) > MAX_MEMBERS:
            raise DocumentFailed(FailureCode.TOO_LARGE, f"The document has more than {MAX_MEMBERS:,} parts.")
        yield Archive(file)


def damaged() -> DocumentFailed:
    """The failure of an archive that can't be read."""
    return DocumentFailed(FailureCode.CORRUPT, "The file is damaged: what it should contain can't be read.")


def _bounded(member: IO[bytes]) -> bytes:
    # By what comes out, and not by what the directory says.
    parts: list[bytes] = []
    size = 0
    while part := member.read(_CHUNK):
        size += len(part)
        if size > MAX_MEMBER_BYTES:
            raise DocumentFailed(FailureCode.TOO_LARGE, "The document unpacks to more than is read.")
        parts.append(part)
    return b"".join(parts)
