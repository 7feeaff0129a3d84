"""A program that tells what a process is given."""

import atexit
import os
import signal
import sys
from pathlib import Path

from tests.support.fakes import waiting

if __name__ == "__main__":
    atexit.register(lambda: print("at exit", flush=True))  # noqa: T201 - the test reads it
    print(__name__, Path(sys.argv[0]).name)  # noqa: T201 - the test reads it
    print(os.environ["TELLER_NAME"], flush=True)  # noqa: T201 - the test reads it
    if os.environ.get("TELLER_MARKS"):
        assert not hasattr(waiting, "mark")
        waiting.mark = True  # type: ignore[attr-defined]  # what is marked is not for use
    if os.environ.get("TELLER_WAITS"):
        signal.pause()
    sys.exit(int(os.environ.get("TELLER_ENDS_BY", "0")))
