"""Reads the RabbitMQ stream over AMQP 0.9.1, on a plain connection of its own.

Not on a robust connection, which would consume again from its *original* offset after a reconnect; and never
through ``queue.iterator()``, which nacks what it has buffered when it closes, and a stream refuses nacks.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from contracts import topology
from services.api.events.entry import MARKER_TYPE, Entry, read_entry

PREFETCH = 500
ACK_EVERY = 100


class StreamClosed(ConnectionError):
    """The broker closed the connection, or cancelled the consumer because the queue was deleted."""


class Deliveries:
    """What a consumer of the stream receives, in order."""

    def __init__(self, channel: AbstractChannel) -> None:
        self._channel = channel
        self._received: asyncio.Queue[AbstractIncomingMessage | None] = asyncio.Queue()
        self._unacknowledged = 0

    async def read(self) -> list[Entry]:
        """Everything that has arrived, at least one; raises StreamClosed."""
        messages = [await self._received.get()]
        while not self._received.empty():
            messages.append(self._received.get_nowait())
        entries = []
        for message in messages:
            if message is None:
                raise StreamClosed("the stream's consumer is gone")
            entries.append(read_entry(message))
            await self._acknowledge(message)
        return entries

    async def read_within(self, seconds: float) -> list[Entry]:
        """``read``, or nothing when nothing arrives in time."""
        try:
            async with asyncio.timeout(seconds):
                return await self.read()
        except TimeoutError:
            return []

    async def _acknowledge(self, message: AbstractIncomingMessage) -> None:
        # Credit, not progress: a stream keeps its messages. One by one costs half of the throughput.
        self._unacknowledged += 1
        if self._unacknowledged >= ACK_EVERY:
            await message.ack(multiple=True)
            self._unacknowledged = 0

    async def receive(self, message: AbstractIncomingMessage) -> None:
        """Called by aio-pika for each delivery."""
        self._received.put_nowait(message)

    def close(self, *_: object) -> None:
        """Called when the channel closes or the consumer is cancelled."""
        self._received.put_nowait(None)


async def mark_log(rabbitmq_url: str) -> str:
    """Append a marker, which is no event, and return its message id. Raises AMQPError or ConnectionError."""
    marker = str(uuid4())
    message = aio_pika.Message(
        marker.encode(),
        message_id=marker,
        type=MARKER_TYPE,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        content_type="text/plain",
    )
    connection = await aio_pika.connect(rabbitmq_url, timeout=5)
    async with connection:
        channel = await connection.channel(on_return_raises=True)
        exchange = await channel.get_exchange(topology.EVENTS.name, ensure=False)
        await exchange.publish(message, f"api.{MARKER_TYPE}", timeout=5)
    return marker


@asynccontextmanager
async def consume_stream(rabbitmq_url: str, offset: int | str) -> AsyncIterator[Deliveries]:
    """Consume from ``offset`` on, inclusive: a number, ``first`` or ``last``.

    A number that was truncated starts silently at the first one kept; one beyond the end waits silently. Closing
    the connection, and not the channel, is what ends it: a channel that is closed with deliveries pending
    blocks its connection. Raises AMQPError or ConnectionError.
    """
    connection = await aio_pika.connect(rabbitmq_url, timeout=5)
    try:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=PREFETCH)
        queue = await channel.get_queue(topology.LOG.name, ensure=False)
        deliveries = Deliveries(channel)
        channel.close_callbacks.add(deliveries.close)
        underlay = await channel.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(deliveries.close)  # the queue was deleted
        await queue.consume(deliveries.receive, arguments={"x-stream-offset": offset})
        yield deliveries
    finally:
        await connection.close()
