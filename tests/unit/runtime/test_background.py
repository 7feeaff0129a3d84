"""Tasks that are to run for ever, and their end."""

import asyncio

import pytest

from services.runtime.errors import Unavailable
from services.runtime.process import background
from services.runtime.process.background import cancel_all, run_step

pytestmark = pytest.mark.anyio


async def test_a_task_that_lost_its_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "AGAIN_SECONDS", 0.01)
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

    await cancel_all(task)

    assert (lost, task.cancelled()) == (2, True)


async def test_the_end_of_tasks_is_awaited_whatever_they_end_with() -> None:
    async def fails() -> None:
        raise ValueError

    failed = asyncio.create_task(fails())
    await asyncio.sleep(0)

    await cancel_all(failed, asyncio.create_task(asyncio.Event().wait()))

    assert failed.done()


@pytest.mark.parametrize("error", [Unavailable("broker", "away"), ValueError("a bug")])
async def test_a_step_that_fails_may_be_tried_again(error: Exception) -> None:
    async def fails() -> None:
        raise error

    async def works() -> None:
        return None

    assert not await run_step("part", fails)
    assert await run_step("part", works)


async def test_a_step_that_is_cancelled_ends_whatever_error_it_raises_for_it() -> None:
    async def fails_when_cancelled() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise AssertionError from None  # as psycopg has it in a pipeline

    step = asyncio.create_task(run_step("part", fails_when_cancelled))
    await asyncio.sleep(0)
    step.cancel()

    with pytest.raises(asyncio.CancelledError):
        await step
