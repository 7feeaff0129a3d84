"""Tasks that are to run for ever, and their end."""

import asyncio

import pytest

from services.runtime import vital
from services.runtime.vital import end

pytestmark = pytest.mark.anyio


async def test_a_task_that_lost_its_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vital, "AGAIN_SECONDS", 0.01)
    lost = 0

    async def loses_two() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if lost == 2:
                    raise
                lost += 1

    task = asyncio.create_task(loses_two())
    await asyncio.sleep(0)

    await end(task)

    assert (lost, task.cancelled()) == (2, True)


async def test_the_end_of_tasks_is_awaited_whatever_they_end_with() -> None:
    async def fails() -> None:
        raise ValueError

    failed = asyncio.create_task(fails())
    await asyncio.sleep(0)

    await end(failed, asyncio.create_task(asyncio.Event().wait()))  # type: ignore[arg-type]  # it never returns

    assert failed.done()
