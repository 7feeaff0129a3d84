"""What goes wrong on a connection is told as what it is, so that those who wait for the broker go on waiting."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from services.runtime.errors import BROKER_ERRORS
from services.runtime.messaging.connection import broker_connection

pytestmark = pytest.mark.anyio


async def hang_up() -> None:
    raise Exception  # noqa: TRY002 - as aiormq does when the connection ends right after the handshake


async def give_up() -> None:
    raise asyncio.CancelledError  # as aiormq lets those end who wait on a connection that it gives up


async def fail() -> None:
    raise KeyError


async def never() -> None:
    await asyncio.Event().wait()


async def use(rabbitmq_url: str, act: Callable[[], Awaitable[None]]) -> None:
    async with broker_connection(rabbitmq_url):
        await act()


@pytest.mark.parametrize("act", [hang_up, give_up])
async def test_a_connection_that_is_lost_is_a_connection_error(
    rabbitmq_url: str, act: Callable[[], Awaitable[None]]
) -> None:
    with pytest.raises(ConnectionError):
        await use(rabbitmq_url, act)


async def test_a_bug_stays_a_bug(rabbitmq_url: str) -> None:
    with pytest.raises(KeyError):
        await use(rabbitmq_url, fail)


async def test_who_is_cancelled_ends_and_who_runs_out_of_time_is_told_so(rabbitmq_url: str) -> None:
    task = asyncio.create_task(use(rabbitmq_url, never))
    await asyncio.wait([task], timeout=0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(use(rabbitmq_url, never), 0.1)


async def test_a_broker_that_is_away_is_a_broker_error() -> None:
    with pytest.raises(BROKER_ERRORS):
        await use("amqp://guest:guest@127.0.0.1:1/", never)
