import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def short_directory() -> Iterator[Path]:
    """Not pytest's own: that one is closed to the account that the database runs as, and too long for a socket."""
    directory = Path(tempfile.mkdtemp(prefix="stagecast-chaos-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)
