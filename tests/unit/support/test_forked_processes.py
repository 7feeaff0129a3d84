"""What starts by a fork behaves as what a command starts."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

import pytest

from tests.support.fakes.waiting import wait_until
from tests.support.processes.forked_process import ForkedProcess

MODULE = "tests.support.fakes.teller"
Process = ForkedProcess | subprocess.Popen[bytes]
Start = Callable[[Mapping[str, str], BinaryIO], Process]


def by_fork(environment: Mapping[str, str], output: BinaryIO) -> Process:
    return ForkedProcess(MODULE, environment, output)


def by_command(environment: Mapping[str, str], output: BinaryIO) -> Process:
    return subprocess.Popen([sys.executable, "-m", MODULE], env=environment, stdout=output, stderr=output)


@pytest.fixture(params=[by_fork, by_command])
def start(request: pytest.FixtureRequest) -> Start:
    chosen: Start = request.param
    return chosen


def run(start: Start, path: Path, **settings: str) -> tuple[int, list[str]]:
    with path.open("wb") as output:
        process = start({**os.environ, "TELLER_NAME": str(path), **settings}, output)
    ended = process.wait(20)
    return ended, path.read_text().splitlines()


def test_a_process_has_its_own_environment_output_and_exit(start: Start, tmp_path: Path) -> None:
    assert run(start, tmp_path / "one") == (0, ["__main__ teller.py", str(tmp_path / "one"), "at exit"])
    ended, lines = run(start, tmp_path / "two", TELLER_ENDS_BY="7")
    assert (ended, lines[1:]) == (7, [str(tmp_path / "two"), "at exit"])
    ended, lines = run(start, tmp_path / "three", TELLER_ENDS_BY="a bug")
    assert (ended, lines[-2:]) == (
        1,
        ["ValueError: invalid literal for int() with base 10: 'a bug'", "at exit"],
    )


def test_what_one_process_changes_no_other_sees(start: Start, tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert run(start, tmp_path / name, TELLER_MARKS="yes")[0] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_a_signal_reaches_the_process_alone_and_is_how_it_ended(
    start: Start, tmp_path: Path, number: signal.Signals
) -> None:
    with (tmp_path / "out").open("wb") as output:
        process = start({**os.environ, "TELLER_NAME": "me", "TELLER_WAITS": "yes"}, output)
    wait_until(lambda: "me" in (tmp_path / "out").read_text())
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    process.send_signal(number)
    assert process.wait(10) == process.poll() == -number
    process.send_signal(number)  # nobody else may get it
