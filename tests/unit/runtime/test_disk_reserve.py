"""The reserve of disk space, on file systems that are numbers."""

from pathlib import Path

import pytest

from services.runtime.errors import NoRoom
from services.runtime.process.disk_reserve import DiskReserve
from services.runtime.process.disk_space import MIB, Space

GIB = 1 << 30
HERE, THERE = Path("here"), Path("there")


class Disks(dict[Path, Space]):
    """What ``statvfs`` would say; a directory that isn't in it does not exist."""

    def measure(self, directory: Path) -> Space:
        try:
            return self[directory]
        except KeyError as error:
            raise FileNotFoundError(directory) from error


def reserve(disks: Disks, reserve_bytes: int | None = None) -> DiskReserve:
    made = DiskReserve([HERE, THERE], reserve_bytes, disks.measure)
    made.look()
    return made


@pytest.mark.parametrize(("total", "kept"), [(420 * MIB, 21 * MIB), (20 * GIB, GIB), (4000 * GIB, GIB)])
def test_the_default_is_a_twentieth_of_the_file_system_and_a_gibibyte_at_most(total: int, kept: int) -> None:
    assert reserve(Disks({HERE: Space(1, total, kept)})).shortage is None
    assert reserve(Disks({HERE: Space(1, total, kept - 1)})).shortage is not None


def test_each_file_system_counts_and_the_sentence_names_the_one_that_is_short() -> None:
    disks = Disks({HERE: Space(1, GIB, GIB), THERE: Space(2, GIB, 10 * MIB)})
    assert "10 MiB are free on the file system of there, and 51 MiB are to stay free" in str(
        reserve(disks).shortage
    )


def test_a_file_system_on_which_no_more_files_fit_is_short_too() -> None:
    assert "7 more files" in str(reserve(Disks({HERE: Space(1, GIB, GIB, 7)})).shortage)


def test_without_a_reserve_nothing_is_ever_short() -> None:
    assert reserve(Disks({HERE: Space(1, GIB, 0, 0)}), 0).shortage is None


def test_what_would_not_fit_is_refused_and_what_others_were_promised_counts() -> None:
    disk = reserve(Disks({HERE: Space(1, GIB, 100 * MIB)}), 40 * MIB)
    with disk.promise(50 * MIB):
        with pytest.raises(NoRoom), disk.promise(11 * MIB):
            pass
        with disk.promise(10 * MIB):
            pass
    with disk.promise(60 * MIB):
        pass


def test_while_it_is_short_nothing_is_promised_and_afterwards_all_is_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.runtime.process.disk_reserve.STEADY_SECONDS", 0)
    disks = Disks({HERE: Space(1, GIB, 0)})
    disk = reserve(disks)
    with pytest.raises(NoRoom):
        disk.require()
    with pytest.raises(NoRoom), disk.promise(0):
        pass
    disks[HERE] = Space(1, GIB, GIB)
    disk.look()
    disk.require()
    with disk.promise(1):
        pass


def test_room_for_a_moment_is_no_room_yet() -> None:
    disks = Disks({HERE: Space(1, GIB, 0)})
    disk = reserve(disks)
    disks[HERE] = Space(1, GIB, GIB)
    assert disk.look() is not None
