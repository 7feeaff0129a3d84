from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from structlog.testing import capture_logs

from services.embedder.backends.conversion_cache import SUMS, ConversionCache, is_whole

WEIGHTS = b"weights" * 1000


def make(directory: Path) -> None:
    (directory / "model.bin").write_bytes(WEIGHTS)
    (directory / "model.xml").write_text("<net/>")


def must_not_be_made(directory: Path) -> None:
    raise AssertionError(f"made again in {directory}")


def test_an_entry_is_made_once(tmp_path: Path) -> None:
    first = ConversionCache(tmp_path / "models").entry("key", make)
    assert ConversionCache(tmp_path / "models").entry("key", must_not_be_made) == first
    assert (first / "model.bin").read_bytes() == WEIGHTS
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["key"]


@pytest.mark.parametrize("name", ["model.bin", "model.xml", SUMS])
@pytest.mark.parametrize("content", [None, b"", b"other"])
def test_a_damaged_entry_is_made_again(tmp_path: Path, name: str, content: bytes | None) -> None:
    cache = ConversionCache(tmp_path)
    damaged = cache.entry("key", make) / name
    damaged.unlink() if content is None else damaged.write_bytes(content)
    with capture_logs() as logs:
        entry = cache.entry("key", make)
    assert is_whole(entry)
    assert (entry / "model.bin").read_bytes() == WEIGHTS
    assert [log["event"] for log in logs] == ["model_cache_damaged"]
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_of_replicas_that_make_the_same_at_once_each_reads_a_whole_one(tmp_path: Path) -> None:
    together = Barrier(4)

    def make_together(directory: Path) -> None:
        make(directory)
        together.wait(timeout=10)

    with ThreadPoolExecutor(4) as pool:
        entries = set(pool.map(lambda _: ConversionCache(tmp_path).entry("key", make_together), range(4)))
    assert entries == {tmp_path / "key"}
    assert is_whole(tmp_path / "key")
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_conversion_that_dies_leaves_no_entry(tmp_path: Path) -> None:
    def die(directory: Path) -> None:
        make(directory)
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        ConversionCache(tmp_path).entry("key", die)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_can_not_be_made_is_an_error_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file")
    with pytest.raises(OSError, match="models"):
        ConversionCache(tmp_path / "models").entry("key", make)
