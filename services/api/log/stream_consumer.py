"""Reads the RabbitMQ stream over AMQP 0.9.1, on a plain connection of its own.

Not on a robust connection, which would consume again from its *original* offset after a reconnect; and never
through ``queue.iterator()``, which nacks what it has buffered when it closes, and a stream refuses nacks. The
consumer is aiormq's: aio-pika's wraps each message in an object and two tasks more, half of the CPU.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import aio_pika
from aiormq.abc import AbstractChannel, DeliveredMessage

from contracts import topology
from services.api.log.entry import MARKER_TYPE, Entry, read_entry
from services.runtime.messaging.connection import CONNECT_SECONDS, broker_connection

OFFSET_HEADER = "x-stream-offset"
PREFETCH = 500
ACK_EVERY = 100
DECODE_AT_ONCE = 100
"""Entries that are decoded before others get their turn: about 5 ms."""


class StreamClosed(ConnectionError):
    """The broker closed the connection, or cancelled the consumer because the queue was deleted."""


class StreamConsumer:
    """The entries that a consumer of the stream receives, in order."""

    def __init__(self, channel: AbstractChannel) -> None:
        self._channel = channel
        self._received: asyncio.Queue[DeliveredMessage | None] = asyncio.Queue()
        self._unacknowledged = 0

    async def read(self) -> list[Entry]:
        """Return what has arrived, at least one and at most ``DECODE_AT_ONCE``; raises StreamClosed."""
        entries = [await self._next()]
        while len(entries) < DECODE_AT_ONCE and not self._received.empty():
            entries.append(await self._next())
        return entries

    async def read_within(self, seconds: float) -> list[Entry]:
        """Read, or return nothing when nothing arrives in time; raises StreamClosed."""
        try:
            async with asyncio.timeout(seconds):
                return await self.read()
        except TimeoutError:
            return []

    async def receive(self, message: DeliveredMessage) -> None:
        """Called by aiormq for each delivery."""
        self._received.put_nowait(message)

    def close(self, *_: object) -> None:
        """Called when the channel closes or the consumer is cancelled."""
        self._received.put_nowait(None)

    async def _next(self) -> Entry:
        message = await self._received.get()
        if message is None:
            raise StreamClosed("the stream's consumer is gone")
        await self._acknowledge(message)
        return _entry_of(message)

    async def _acknowledge(self, message: DeliveredMessage) -> None:
        # Credit, not progress: a stream keeps its messages. One by one costs half of the throughput.
        self._unacknowledged += 1
        if self._unacknowledged >= ACK_EVERY and message.delivery_tag is not None:
            self._unacknowledged = 0
            await self._channel.basic_ack(message.delivery_tag, multiple=True, wait=False)


def _entry_of(message: DeliveredMessage) -> Entry:
    properties = message.header.properties
    offset = (properties.headers or {}).get(OFFSET_HEADER)
    if not isinstance(offset, int):
        raise TypeError(f"{OFFSET_HEADER} is {offset!r}: this is no delivery from a stream")
    return read_entry(offset, properties.message_type, properties.message_id, message.body)


async def append_marker(rabbitmq_url: str) -> str:
    """Append a marker, which is no event, and return its message id. Raises AMQPError or ConnectionError."""
    marker = str(uuid4())
    message = aio_pika.Message(
        marker.encode(),
        message_id=marker,
        type=MARKER_TYPE,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        content_type="text/plain",
    )
    async with broker_connection(rabbitmq_url) as connection:
        channel = await connection.channel(on_return_raises=True)
        exchange = await channel.get_exchange(topology.EVENTS.name, ensure=False)
        await exchange.publish(message, f"api.{MARKER_TYPE}", timeout=CONNECT_SECONDS)
    return marker


@asynccontextmanager
async def consume_stream(rabbitmq_url: str, offset: int | str) -> AsyncIterator[StreamConsumer]:
    """Consume from ``offset`` on, inclusive: a number, ``first`` or ``last``.

    A number that was truncated starts silently at the first one kept; one beyond the end waits silently. Closing
    the connection, and not the channel, is what ends it: a channel that is closed with deliveries pending
    blocks its connection. Raises AMQPError or ConnectionError.
    """
    async with broker_connection(rabbitmq_url) as connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=PREFETCH)
        underlay = await channel.get_underlay_channel()
        deliveries = StreamConsumer(underlay)
        channel.close_callbacks.add(deliveries.close)
        underlay.on_consumer_cancel_callbacks.add(deliveries.close)  # the queue was deleted
        await underlay.basic_consume(
            topology.LOG.name,
            deliveries.receive,
            arguments={OFFSET_HEADER: offset},
            timeout=CONNECT_SECONDS,
        )
        yield deliveries
