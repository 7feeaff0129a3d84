"""Files that are slow to make, kept under a key; several processes may make and read the same ones at once."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from services.runtime.process.logging import get_logger

log = get_logger(__name__)

SUMS = "SHA256SUMS"
"""Written into each entry, and last: the digests of its files, in the format of ``sha256sum``."""


class ConversionCache:
    """Directories by key. An entry is renamed into place whole, and proved by its digests each time it is read."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def entry(self, key: str, make: Callable[[Path], None]) -> Path:
        """Return the directory of ``key``, which ``make`` fills where there is none, or none that is whole.

        Raises OSError where nothing can be written, and what ``make`` raises.
        """
        entry = self._directory / key
        if entry.exists():
            if is_whole(entry):
                return entry
            log.warning("model_cache_damaged", path=str(entry))
        self._directory.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{key[:16]}-", dir=self._directory))
        try:
            make(made)
            _write_sums(made)
            return self._put(made, entry)
        finally:
            shutil.rmtree(made, ignore_errors=True)

    def _put(self, made: Path, entry: Path) -> Path:
        """Rename into place, unless another process has put the same there meanwhile."""
        for _ in range(3):
            with suppress(OSError):
                made.rename(entry)
                return entry
            if is_whole(entry):
                return entry
            # Aside first: whoever looks meanwhile finds the old one, none, or the new one, and never half of one.
            aside = Path(tempfile.mkdtemp(prefix=".damaged-", dir=self._directory))
            with suppress(OSError):
                entry.rename(aside / "entry")
            shutil.rmtree(aside, ignore_errors=True)
        raise OSError(f"{entry} can't be put in place")


def is_whole(entry: Path) -> bool:
    """Return whether an entry's files are those that were put there."""
    try:
        sums = [line.split("  ", 1) for line in (entry / SUMS).read_text().splitlines()]
        return bool(sums) and all(_digest(entry / name) == digest for digest, name in sums)
    except (OSError, ValueError):
        return False


def _write_sums(entry: Path) -> None:
    files = sorted(path for path in entry.iterdir() if path.is_file())
    text = "".join(f"{_digest(path)}  {path.name}\n" for path in files)
    with (entry / SUMS).open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
