"""Consumption that is paused and resumed, whatever becomes of the connection meanwhile."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from faststream import AckPolicy
from faststream.rabbit import Channel, RabbitBroker, RabbitMessage, RabbitQueue
from faststream.rabbit.subscriber.usecase import RabbitSubscriber

from services.runtime.errors import BROKER_ERRORS
from services.runtime.messaging.consumption import Consumption

pytestmark = pytest.mark.anyio
QUEUE = RabbitQueue("paused", durable=False)


class Reason:
    """What speaks against taking anything new."""

    sentence: str | None = None

    def __call__(self) -> str | None:
        return self.sentence


class Taken:
    """The bodies that were taken, and the subscriber that takes them."""

    def __init__(self, broker: RabbitBroker) -> None:
        self.broker = broker
        self.bodies: asyncio.Queue[str] = asyncio.Queue()
        subscriber = broker.subscriber(QUEUE, channel=Channel(), ack_policy=AckPolicy.MANUAL)

        @subscriber
        async def take(body: str, message: RabbitMessage) -> None:
            await message.ack()
            await self.bodies.put(body)

        self.subscriber: RabbitSubscriber = subscriber

    async def next_of(self, body: str, seconds: float = 10) -> str | None:
        await self._publish(body)
        try:
            return await asyncio.wait_for(self.bodies.get(), seconds)
        except TimeoutError:
            return None

    async def _publish(self, body: str) -> object:
        """Again, until the channel is there: which of a connection's channels comes back first is not said."""
        async with asyncio.timeout(10):
            while True:
                try:
                    return await self.broker.publish(body, QUEUE)
                except (*BROKER_ERRORS, RuntimeError):
                    await asyncio.sleep(0.05)


@pytest.fixture
async def taken(vhost_url: str) -> AsyncIterator[Taken]:
    async with RabbitBroker(vhost_url, reconnect_interval=0.1, fail_fast=False) as broker:
        taken = Taken(broker)
        await broker.start()
        yield taken


async def test_nothing_is_taken_while_there_is_a_reason_and_all_of_it_afterwards(taken: Taken) -> None:
    reason = Reason()
    consumption = Consumption(taken.subscriber, reason)
    assert await taken.next_of("before") == "before"
    reason.sentence = "the disk is nearly full"
    await consumption.follow()
    assert await taken.next_of("meanwhile", seconds=0.5) is None
    reason.sentence = None
    await consumption.follow()
    assert await taken.next_of("afterwards") == "meanwhile"


async def test_a_pause_that_met_a_lost_connection_is_resumed_all_the_same(taken: Taken) -> None:
    reason = Reason()
    consumption = Consumption(taken.subscriber, reason)
    queue = taken.subscriber._queue_obj
    assert queue is not None
    connection = await taken.broker.connect()
    assert connection.transport is not None
    reason.sentence = "the disk is nearly full"
    await connection.transport.connection.close()  # as a broker does whose queue is down
    await consumption.follow()
    reason.sentence = None
    await asyncio.wait_for(connection.ready(), 10)
    await queue.channel.ready()  # type: ignore[attr-defined]  # a robust channel's
    consumption._not_before = 0
    await consumption.follow()
    assert await taken.next_of("alive again") == "alive again"
