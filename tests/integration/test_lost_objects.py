"""The objects' file system can't be written, has no inodes, or is gone: that is said, and nothing is left half."""

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.integration.test_faults_admission import readiness
from tests.support.small_file_system import small_file_system
from tests.support.system import System, until


@pytest.fixture
def objects(own_system: System) -> Iterator[Path]:
    """Where they are, on a file system of its own; API and parser run."""
    own_system.settings |= {"DISK_RESERVE_BYTES": "0", "SWEEP_SECONDS": "0.2", "GRACE_SECONDS": "1"}
    with small_file_system(own_system.directory / "objects", 8, "mode=1777,nr_inodes=20") as mounted:
        own_system.start("api", "parser")
        yield mounted.directory
        own_system.stop()


def remount(directory: Path, option: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{option}", directory], check=True)


def stored(directory: Path) -> set[str]:
    return {path.name for path in (directory / "documents").iterdir()}


def assert_refused(answer: httpx.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) > 0
    assert "store" in answer.json()["detail"]


def test_uploads_are_refused_while_the_objects_cannot_be_written_or_are_gone_and_leave_nothing(
    own_system: System, objects: Path
) -> None:
    first, second = (own_system.accept(f"{n}.txt", f"Number {n}.".encode()) for n in ("one", "two"))
    remount(objects, "ro")
    assert_refused(own_system.upload("read-only.txt", b"Nobody can write me."))
    with own_system.client() as client:
        assert client.delete(f"/api/v1/documents/{first}").status_code == 503
        assert client.get(f"/api/v1/documents/{first}").status_code == 404
    remount(objects, "rw")
    until(lambda: stored(objects) == {second})

    fillers = [objects / f"filler-{number}" for number in range(20)]
    with suppress(OSError):  # when there are no more
        for filler in fillers:
            filler.touch()
    assert_refused(own_system.upload("no-inode.txt", b"There is no inode for me."))
    for filler in fillers:
        filler.unlink(missing_ok=True)
    assert stored(objects) == {second}

    hidden = objects / "documents"
    hidden.rename(objects / "elsewhere")
    assert_refused(own_system.upload("vanished.txt", b"Where would I be?"))
    with own_system.client() as client:
        assert client.delete(f"/api/v1/documents/{second}").status_code == 503
    assert not hidden.exists()
    (objects / "elsewhere").rename(hidden)
    until(lambda: stored(objects) == set())

    own_system.accept("again.txt", b"I can be written.")
    assert [one["filename"] for one in own_system.get("/api/v1/documents")["items"]] == ["again.txt"]
    assert readiness(own_system, "api").status_code == 200
    assert "request_failed" not in own_system.log("api")
