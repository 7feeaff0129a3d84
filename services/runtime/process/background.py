"""Tasks that a process can't do without: when one ends, so does the process, and its supervisor starts another."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Any

from services.runtime.errors import is_transient
from services.runtime.process.asyncio_guards import forget, is_cancelled
from services.runtime.process.logging import get_logger

AGAIN_SECONDS = 3.0
"""Longer than what is cancelled takes to close its connections, which shall not be cut short."""

log = get_logger(__name__)


def supervise(task: asyncio.Task[None]) -> asyncio.Task[None]:
    """Stop the process in order when a task that is to run for ever ends, unless it was cancelled."""
    task.add_done_callback(_stop_unless_cancelled)
    return task


async def run_step(part: str, step: Callable[[], Awaitable[object]]) -> bool:
    """Run one step of a loop; False when it failed, and the caller is to try it again later."""
    try:
        await step()
    except Exception as error:
        if is_cancelled():
            raise asyncio.CancelledError from error
        if not is_transient(error):
            log.exception("step_failed", part=part)
        return False
    return True


async def cancel_all(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait for their end; those that go on are cancelled again.

    A cancellation can get lost: where it meets what was waited for just as that is done, ``asyncio.wait_for`` of
    Python 3.11, through which aiormq waits for every answer, returns it, and the task goes on for ever.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        done, pending = await asyncio.wait(pending, timeout=AGAIN_SECONDS)
        for task in done:
            forget(task)


def stop_process(part: str, error: BaseException | None = None) -> None:
    """Stop as on SIGTERM. A process that lives without a part of it looks well and does nothing."""
    log.error("background_task_ended", part=part, exc_info=error)
    signal.raise_signal(signal.SIGTERM)


def _stop_unless_cancelled(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        stop_process(task.get_name(), task.exception())
