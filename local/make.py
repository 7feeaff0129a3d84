"""The wish to stop that a make which started us was told, and keeps to itself."""

import os
import signal
from pathlib import Path

STOPS = (signal.SIGINT, signal.SIGHUP)


def make_was_told_to_stop() -> bool:
    """Return whether our parent is a make that has got SIGINT or SIGHUP and waits for us to end.

    GNU make passes only SIGTERM on; with the others it relies on the terminal to tell us too, which does not
    happen when make alone was signalled, or leads its session when the terminal is closed. While its handler
    waits, the signal is blocked, and that can be seen.
    """
    parent = Path("/proc", str(os.getppid()))
    try:
        if (parent / "comm").read_text().strip() != "make":
            return False
        lines = (parent / "status").read_text().splitlines()
    except OSError:
        return False
    blocked = next((int(line.split()[1], 16) for line in lines if line.startswith("SigBlk")), 0)
    return any(blocked & 1 << (number - 1) for number in STOPS)
