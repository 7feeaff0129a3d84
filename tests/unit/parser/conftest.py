"""Files for the parser to read."""

from pathlib import Path

import pytest

from tests.support.sandbox import Write


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a document into a file of its own."""

    def write_(data: bytes) -> Path:
        path = tmp_path / f"document-{len(list(tmp_path.iterdir()))}"
        path.write_bytes(data)
        return path

    return write_
