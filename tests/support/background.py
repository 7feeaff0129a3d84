"""Something that runs in a thread beside a test."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Runner(Protocol):
    """Runs until it is told to stop."""

    def run(self) -> None: ...

    def stop(self) -> None: ...


@contextmanager
def in_background(runner: Runner) -> Iterator[None]:
    """Run it as long as the block lasts."""
    thread = threading.Thread(target=runner.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        runner.stop()
        thread.join(20)
