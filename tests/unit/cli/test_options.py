"""Options that stand everywhere, and folders."""

import io
import sys
from contextvars import copy_context
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import output
from cli.main import app
from tests.support.fakes.api import Running
from tests.unit.cli.conftest import Stagecast


@pytest.mark.parametrize(
    "arguments", [["--version"], ["search", "--version"], ["documents", "list", "--version"]], ids=" ".join
)
def test_the_version_is_told_wherever_it_is_asked_for(arguments: list[str]) -> None:
    told = CliRunner().invoke(app, arguments)

    assert (told.exit_code, told.stdout.split()[0].rstrip(",")) == (0, "stagecast")


def test_an_address_counts_before_the_command_and_behind_it_more(stagecast: Stagecast, fake: Running) -> None:
    before = stagecast("--url", fake.url, "search", "lantern", url="http://127.0.0.1:1")
    behind = stagecast("--url", "http://127.0.0.1:1", "search", "lantern", "--url", fake.url)
    neither = stagecast("search", "lantern")

    assert (before.status, behind.status, neither.status) == (0, 0, 1)


def test_who_asks_for_json_gets_it_at_a_terminal_too(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdout", Terminal())
    of_people, of_programs = copy_context(), copy_context()
    of_people.run(output.for_programs, False)
    of_programs.run(output.for_programs, True)

    assert (of_people.run(output.at_terminal), of_programs.run(output.at_terminal)) == (True, False)


def test_a_folder_stands_for_the_files_in_it_but_for_hidden_ones(
    stagecast: Stagecast, tmp_path: Path
) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("a/one.txt", "a/b/two.txt", "a/.hidden"):
        (tmp_path / name).write_text(f"The text of {name}.")

    outcome = stagecast("upload", tmp_path / "a")

    assert outcome.status == 0
    assert {Path(one["upload"]).name for one in outcome.uploads} == {"one.txt", "two.txt"}


def test_a_folder_without_files_is_said_to_have_none(stagecast: Stagecast, tmp_path: Path) -> None:
    outcome = stagecast("upload", tmp_path)

    assert (outcome.status, "There is no file in" in outcome.errors) == (1, True)
