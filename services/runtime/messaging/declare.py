"""Declares ``contracts.topology`` at start; safe to repeat, and to run in several services at once."""

import asyncio
import time

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection

from contracts import topology
from contracts.queue_repair import repair_sentence
from services.runtime.errors import BROKER_ERRORS, Unavailable
from services.runtime.messaging.connection import broker_connection
from services.runtime.messaging.queue_state import SAYS_DOWN
from services.runtime.process.logging import get_logger

WARN_EVERY_SECONDS = 60.0
DOWN_PAUSE_SECONDS = 1.0

log = get_logger(__name__)

_warned_at: dict[str, float] = {}
"""By queue: who waits asks every second, and the log is to say it once a minute."""


class QueueDown(ConnectionError):
    """A queue stands in the broker's books and does not work, so that it can't be declared."""

    def __init__(self, queue: str) -> None:
        super().__init__(f"{queue} is down")
        self.queue = queue


async def declare_topology(rabbitmq_url: str, *, patience_seconds: float = 60) -> None:
    """Declare every exchange, queue and binding, waiting for a broker that is still starting.

    A queue that is down is waited for as long as it is: to end would not mend it. Raises Unavailable when the
    broker hasn't answered within ``patience_seconds``, or when a queue stands already with other arguments.
    """
    reason = ""
    try:
        async with asyncio.timeout(patience_seconds) as limit:
            while True:
                try:
                    return await declare_once(rabbitmq_url)
                except QueueDown:
                    limit.reschedule(asyncio.get_running_loop().time() + patience_seconds)
                    await asyncio.sleep(DOWN_PAUSE_SECONDS)
                except aio_pika.exceptions.ChannelPreconditionFailed as error:
                    raise Unavailable("broker", f"a queue stands with other arguments: {error}") from error
                except BROKER_ERRORS as error:
                    reason = str(error) or type(error).__name__
                    log.info("waiting_for_broker", reason=reason)
                    await asyncio.sleep(0.5)
    except TimeoutError as error:
        raise Unavailable("broker", reason or "no answer in time") from error


async def declare_once(rabbitmq_url: str) -> None:
    """Declare what is missing. Raises AMQPError or ConnectionError; QueueDown, which is one, with a warning."""
    try:
        await _declare_all(rabbitmq_url)
    except QueueDown as error:
        now = time.monotonic()
        if now >= _warned_at.get(error.queue, -WARN_EVERY_SECONDS) + WARN_EVERY_SECONDS:
            _warned_at[error.queue] = now
            log.warning("queue_down", queue=error.queue, remedy=repair_sentence(error.queue, rabbitmq_url))
        raise


async def _declare_all(rabbitmq_url: str) -> None:
    async with broker_connection(rabbitmq_url) as connection:
        channel = await connection.channel()
        for exchange in topology.EXCHANGES:
            await channel.declare_exchange(exchange.name, exchange.kind, durable=True)
        # At once: one after the other, a broker that takes two seconds for each answer would take two minutes.
        await asyncio.gather(*(_declare_queue(connection, queue) for queue in topology.queues()))


async def _declare_queue(connection: AbstractConnection, queue: topology.Queue) -> None:
    try:
        async with connection.channel() as channel:
            await channel.declare_queue(queue.name, durable=True, arguments={**queue.declared_arguments})
            await _bind(channel, queue)
    except aio_pika.exceptions.ChannelNotFoundEntity as error:
        if SAYS_DOWN in str(error):
            raise QueueDown(queue.name) from error
        raise
    except aio_pika.exceptions.ChannelPreconditionFailed:
        if not queue.may_stand_as_it_is:
            raise
        # An earlier release made it; what lies in it matters more than its arguments.
        log.warning("queue_arguments_differ", queue=queue.name, remedy="empty and delete it")
        async with connection.channel() as channel:
            await _bind(channel, queue)


async def _bind(channel: AbstractChannel, queue: topology.Queue) -> None:
    declared = await channel.get_queue(queue.name, ensure=False)
    for exchange, routing_key in queue.bindings:
        await declared.bind(exchange.name, routing_key)
