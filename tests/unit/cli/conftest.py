"""The command against a server that speaks the contract from memory, over real HTTP."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.support.fakes.api import FakeApi, Running, running


@dataclass(frozen=True)
class Outcome:
    """What a finished command left: its exit status, its JSON lines, its errors."""

    status: int
    lines: list[dict[str, Any]]
    errors: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """The lines that are status events."""
        return [line for line in self.lines if "eventId" in line]

    @property
    def uploads(self) -> list[dict[str, Any]]:
        """The lines that are answers to uploads."""
        return [line for line in self.lines if "upload" in line]


Stagecast = Callable[..., Outcome]


@pytest.fixture
def fake() -> Iterator[Running]:
    """A server of one test's own."""
    with running(FakeApi()) as server:
        yield server


@pytest.fixture
def stagecast(fake: Running, monkeypatch: pytest.MonkeyPatch) -> Stagecast:
    """Run the command to its end, its output read by a program."""
    for name in ("STAGECAST_TOKEN", "STAGECAST_WEBHOOK_KEY", "INTERNAL_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("STAGECAST_URL", fake.url)

    def run(*arguments: str | Path, url: str | None = None) -> Outcome:
        if url is not None:
            monkeypatch.setenv("STAGECAST_URL", url)
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        lines = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
        return Outcome(result.exit_code, lines, result.stderr)

    return run


@pytest.fixture
def note(tmp_path: Path) -> Path:
    """A small text document."""
    file = tmp_path / "note.txt"
    file.write_text("A lantern hangs above the printing press.")
    return file
