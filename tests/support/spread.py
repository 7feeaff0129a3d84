"""How files are spread over the workers of pytest-xdist."""

import re
from functools import cache
from pathlib import Path

import pytest
from xdist.scheduler import LoadFileScheduling

_ASKS_FOR_THE_SYSTEM = re.compile(r"^(?:async )?def test_\w+\([^)]*\bsystem\b", re.MULTILINE)


@cache
def shares_the_system(file: Path) -> bool:
    """Return whether a test of a file asks for the fixture ``system``."""
    return bool(_ASKS_FOR_THE_SYSTEM.search(file.read_text()))


class SystemOnOneWorker(LoadFileScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """A file at a time, but all that share the running system as if they were one.

    Else each worker starts a system of its own, which with the real model is 20 seconds of CPU.
    """

    def __init__(self, config: pytest.Config, log: object = None) -> None:
        super().__init__(config, log)
        self._root = config.rootpath

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return "the system" if shares_the_system(self._root / file) else file
