"""Guards against errors about cancelled tasks in asyncio of Python 3.11 and the libraries on it."""

import asyncio
from typing import Any


def is_cancelled() -> bool:
    """Return whether the current task is being cancelled, though an error arrives that is no CancelledError.

    psycopg raises an AssertionError when a pipeline (``executemany``) is cancelled. Taken for a failure, it would
    leave a task running that others wait for.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def forget(work: asyncio.Future[Any]) -> None:
    """Retrieve the exception of abandoned work, or asyncio logs that nobody did."""
    if not work.cancelled():
        work.exception()
