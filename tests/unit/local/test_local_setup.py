"""Installing what is missing, with an interpreter that only says what it was asked and what a pip would say."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FLOOD = "WARNING: Location 'file:///nowhere/simple/' is ignored: it is neither a file nor a directory."
TORCH = "torch-2.13.0-cp312-cp312-manylinux_2_28_x86_64.whl"
PIP = f"""
for number in $(seq 60); do echo "{FLOOD}"; done
echo "Collecting torch"
echo "  Downloading {TORCH}.metadata (30 kB)"
echo "  Downloading {TORCH} (526.6 MB)"
echo "ERROR: No space left on device" >&2
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose interpreter notes how pip is called; ``pip-status`` is how that ends."""
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / "setup.sh").write_text((ROOT / "local" / "setup.sh").read_text())
    (tmp_path / "pyproject.toml").write_text('"torch==2.13.0",\n')
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(
        f'#!/bin/sh\n[ "$2" = pip ] || exit 0\necho "$*" >>calls\n{PIP}\nexit $(cat pip-status)\n'
    )
    python.chmod(0o755)
    (tmp_path / "pip-status").write_text("0")
    return tmp_path


def set_up(checkout: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "TORCH_INDEX_URL"}
    return subprocess.run(
        ["sh", "local/setup.sh", "run"],
        cwd=checkout,
        env={**environment, **settings},
        capture_output=True,
        text=True,
    )


def test_what_is_large_is_named_with_its_size_and_pips_own_words_are_not_shown(checkout: Path) -> None:
    done = set_up(checkout)
    assert done.returncode == 0
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert len(lines) == 4
    assert "graphics cards" in lines[0]
    assert lines[1] == lines[3] == f"  fetching {TORCH}, 526.6 MB"


def test_if_pip_fails_the_start_does_and_says_what_pip_said(checkout: Path) -> None:
    (checkout / "pip-status").write_text("1")
    done = set_up(checkout)
    assert done.returncode == 1
    assert "ERROR: No space left on device" in done.stderr
    assert "is ignored" not in done.stderr
    assert FLOOD in (checkout / ".venv" / "pip.log").read_text()
    assert not (checkout / ".venv" / ".installed").exists()


@pytest.mark.parametrize("place", ["environment", "file"])
def test_pytorch_alone_comes_from_the_index_of_cpu_builds_that_is_named(checkout: Path, place: str) -> None:
    if place == "file":
        (checkout / ".env").write_text("TORCH_INDEX_URL=https://builds.example/cpu\n")
    done = set_up(
        checkout, **({"TORCH_INDEX_URL": "https://builds.example/cpu"} if place == "environment" else {})
    )
    assert done.returncode == 0
    first, second = (checkout / "calls").read_text().splitlines()
    assert first.endswith("--no-deps --index-url https://builds.example/cpu torch==2.13.0")
    assert "--index-url" not in second
