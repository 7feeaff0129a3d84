"""The process of a service, started one way or the other."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.processes.forked_process import ForkedProcess

ServiceProcess = subprocess.Popen[bytes] | ForkedProcess


def start_process(
    module: str, environment: Mapping[str, str], log: Path, *, by_command: bool
) -> ServiceProcess:
    """Start a module, or a package's ``__main__``, by its command or by a fork; ``log`` takes both its outputs."""
    with log.open("ab") as output:
        if not by_command:
            return ForkedProcess(module, environment, output)
        command = [sys.executable, "-m", module.removesuffix(".__main__")]
        return subprocess.Popen(command, env=environment, stdout=output, stderr=output)
