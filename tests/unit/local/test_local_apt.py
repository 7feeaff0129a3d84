"""Installing Debian's packages, with commands that only say what they were asked."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "local" / "apt.sh"
PLAIN_COMMANDS = ("sh", "cat", "chmod", "find", "head", "mktemp", "rm", "tail")


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """A PATH of harmless commands alone; ``say`` adds one that notes how it was called."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for name in PLAIN_COMMANDS:
        (directory / name).symlink_to(next(p for d in ("/bin", "/usr/bin") if (p := Path(d, name)).exists()))
    return directory


def add(commands: Path, name: str, script: str) -> None:
    (commands / name).write_text(f"#!/bin/sh\n{script}\n")
    (commands / name).chmod(0o755)


def install(commands: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", str(SCRIPT), "for a test", "some-package"],
        env={"PATH": str(commands)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def test_without_apt_the_sentence_names_what_is_missing_and_why(commands: Path) -> None:
    done = install(commands)
    assert done.returncode == 1
    assert done.stderr.startswith("Missing: some-package (for a test). This system has no apt-get")


def test_without_root_or_sudo_the_sentence_says_what_to_ask_for(commands: Path) -> None:
    add(commands, "apt-get", "exit 0")
    add(commands, "id", "echo 1000")
    done = install(commands)
    assert done.returncode == 1
    assert "needs root or sudo: ask for 'apt-get install some-package'" in done.stderr


def test_sudo_that_would_ask_for_a_password_is_not_waited_for(commands: Path) -> None:
    add(commands, "apt-get", "exit 0")
    add(commands, "id", "echo 1000")
    add(commands, "sudo", "exit 1")
    assert "needs root or sudo" in install(commands).stderr


def test_sudo_runs_the_script_again_as_root(commands: Path) -> None:
    add(commands, "apt-get", "exit 0")
    add(commands, "id", "echo 1000")
    add(commands, "sudo", 'test "$1" = -n || echo "as root: $*"')
    done = install(commands)
    assert done.stdout == f"as root: sh {SCRIPT} for a test some-package\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="writes where only root may")
def test_no_daemon_is_started_and_nothing_of_that_stays(commands: Path) -> None:
    policy = Path("/usr/sbin/policy-rc.d")
    before = policy.exists()
    add(commands, "apt-get", f"test -x {policy} && echo no daemon >&2; test $1 = update")
    add(commands, "id", "echo 0")
    done = install(commands)
    assert done.returncode == 1
    assert "no daemon" in done.stderr
    assert "Failed: apt-get install -y" in done.stderr
    assert policy.exists() == before
