"""``stagecast documents`` on the running system."""

import json
import subprocess
from typing import Any

from tests.support.command import STAGECAST, command_environment
from tests.support.system import System


def stagecast(system: System, *arguments: str) -> tuple[int, list[dict[str, Any]], str]:
    """Exit status, the lines of the standard output, and the standard error."""
    environment = command_environment(STAGECAST_URL=system.url)
    command = [*STAGECAST, "documents", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_documents_are_listed_refused_one_by_one_and_deleted_by_a_filter(system: System) -> None:
    ids = [system.accept(f"tidy-{name}.txt", f"To be tidied: {name}.".encode()) for name in ("one", "two")]
    for document_id in ids:
        system.finished(document_id)
    status, lines, _ = stagecast(system, "list", "--name", "TIDY-", "--sort", "filename", "--json")
    assert (status, [line["documentId"] for line in lines]) == (0, ids)
    status, lines, _ = stagecast(system, "cancel", *ids)
    assert (status, [line["httpStatus"] for line in lines]) == (1, [409, 409])
    status, lines, _ = stagecast(system, "delete", "--name", "tidy-", "--dry-run")
    assert (status, lines) == (0, [{"action": "delete", "matched": 2}])
    status, lines, error = stagecast(system, "delete", "--name", "tidy-")
    assert (status, lines) == (1, [])
    assert "--yes" in error
    status, lines, _ = stagecast(system, "delete", "--name", "tidy-", "--yes")
    assert (status, lines[-1]["done"], lines[-1]["ended"]) == (0, 2, True)
    status, lines, _ = stagecast(system, "show", ids[0])
    assert (status, lines[0]["httpStatus"]) == (1, 404)
    assert stagecast(system, "retry")[0] == 2
