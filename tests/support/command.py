"""The ``stagecast`` command as a process of its own."""

import os
import sys

STAGECAST = [sys.executable, "-m", "cli.main"]


def command_environment(**settings: str) -> dict[str, str]:
    """Ours and ``settings``, with the client library of this checkout, wherever an installation finds one."""
    paths = os.pathsep.join(path for path in sys.path if path)
    return {**os.environ, "PYTHONPATH": paths, **settings}
