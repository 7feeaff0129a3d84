import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.backing.data_dir import DataDir
from local.failures import StartFailed


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(path: Path) -> dict[str, int]:
    return {str(found.relative_to(path)): found.stat().st_mode & 0o777 for found in (path, *path.rglob("*"))}


def test_a_data_directory_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    DataDir(tmp_path / "data").acquire().release()
    assert modes(tmp_path / "data") == {".": 0o700, "lock": 0o600}


def test_what_an_earlier_release_left_open_is_closed(tmp_path: Path) -> None:
    for name in ("objects/documents/1", "rabbitmq/ports.json", "somebody-elses/notes"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    tmp_path.chmod(0o755)
    DataDir(tmp_path).acquire().release()
    assert modes(tmp_path) == {
        ".": 0o700,
        "lock": 0o600,
        "objects": 0o700,
        "objects/documents": 0o700,
        "objects/documents/1": 0o600,
        "rabbitmq": 0o700,
        "rabbitmq/ports.json": 0o600,
        "somebody-elses": 0o755,
        "somebody-elses/notes": 0o644,
    }


def test_a_link_in_a_data_directory_closes_nothing_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").touch()
    (tmp_path / "data" / "objects").mkdir(parents=True)
    (tmp_path / "data" / "objects" / "link").symlink_to(tmp_path / "elsewhere")
    DataDir(tmp_path / "data").acquire().release()
    assert modes(tmp_path)["elsewhere"] == 0o644


def test_a_directory_that_is_everybodys_stays_so(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(0o1777)
    DataDir(tmp_path / "data").acquire().release()
    assert modes(tmp_path / "data")["."] == 0o777


def test_a_data_directory_belongs_to_one_running_system(tmp_path: Path) -> None:
    first = DataDir(tmp_path / "data").acquire()
    with pytest.raises(
        StartFailed, match=rf"already runs on DATA_DIR={tmp_path}/data \(process {os.getpid()}\)"
    ):
        DataDir(tmp_path / "data").acquire()
    first.release()
    DataDir(tmp_path / "data").acquire().release()
