"""The state of a queue, as it shows over AMQP.

A queue can be lost while its name stays: a stream or a quorum queue whose files are gone, or whose process ended
on a full disk and does not start again. What was seen on RabbitMQ 3.10.8, and from the third row on on 4.3.6 too:

| | passive declare | consume, ``basic.get`` | a publish |
| --- | --- | --- | --- |
| a stream without its coordinator's files | 404, "home node … is down or inaccessible" | the same | NO_ROUTE |
| a stream whose writer met a full disk | **ok** | closes the connection, 541 | closes it, 541 or 506 |
| a quorum queue without its Raft log | **ok**, with 0 and 0 | no answer | no confirm |
| a quorum queue whose process ended | **ok**, with 0 and 0 | closes the connection, 541 | nack |
| a quorum queue whose process hangs | **ok** after 250 ms, with 0 and 0 | no answer | no confirm |

The management UI calls the second, third and last ``running``. So a stream is asked for its next message, and a
quorum queue that says that it has neither messages nor consumers for one: what answers "empty" has written that
down in its Raft log, and lives.
"""

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from time import monotonic

from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage, AbstractQueue
from aio_pika.exceptions import ChannelClosed, ChannelNotFoundEntity
from aiormq.exceptions import ConnectionInternalError, ConnectionResourceError

from contracts import topology
from services.runtime.errors import BROKER_ERRORS
from services.runtime.messaging.connection import broker_connection
from services.runtime.process.asyncio_guards import is_cancelled

ANSWER_SECONDS = 1.0
"""A broker that answers at all answers within milliseconds; to a quorum queue that hangs it gives 250."""
CHANNEL_SECONDS = 4.0
TIMES_SLOWER = 6
"""The answers on a queue may take so many times as long as that on the channel: a slow broker's queues are fine."""

SAYS_DOWN = "down or inaccessible"
"""In a 404, also to who declares the queue: it can't be made, since its name stands."""


class QueueState(StrEnum):
    """What is known of a queue."""

    FINE = "fine"
    MISSING = "missing"
    """Nobody has declared it, or somebody deleted it: declared again, it is there."""
    DOWN = "down"
    """It stands in the broker's books and does not work: declared again, it is as it was."""
    NOT_CONNECTED = "not connected"
    """The broker does not answer, so nothing is known of its queues."""


@dataclass(frozen=True)
class QueueReport:
    """A queue's state, and how many messages wait in it, and consumers take from it, where that is known."""

    state: QueueState
    waiting: int = 0
    consumers: int = 0


async def queue_state_at(rabbitmq_url: str, queue: topology.Queue) -> QueueState:
    """Ask for the state of a queue on a connection of its own; raises nothing of the broker's."""
    try:
        async with broker_connection(rabbitmq_url) as connection:
            return await queue_state(connection, queue)
    except (*BROKER_ERRORS, RuntimeError):
        return QueueState.NOT_CONNECTED


async def queue_state(connection: AbstractConnection, queue: topology.Queue) -> QueueState:
    """Ask for the state of a queue, as ``look_at_queue``."""
    return (await look_at_queue(connection, queue)).state


async def look_at_queue(connection: AbstractConnection, queue: topology.Queue) -> QueueReport:
    """Ask for a queue's state and what waits in it, within a bound; raises nothing of the broker's.

    Only on a connection that has no other use: a queue that is down closes it, or never answers, and what was asked
    stays open. After anything but FINE it is to be closed. An alarm is not told: a connection that has not
    published is not held up by one.
    """
    began = monotonic()
    try:
        async with asyncio.timeout(CHANNEL_SECONDS):
            channel = await connection.channel(publisher_confirms=False)
        return await _look_on(channel, queue, ANSWER_SECONDS + TIMES_SLOWER * (monotonic() - began))
    except (*BROKER_ERRORS, RuntimeError):  # RuntimeError: it is closed
        return QueueReport(QueueState.NOT_CONNECTED)
    except asyncio.CancelledError:  # by aiormq, when its connection is lost
        if is_cancelled():
            raise
        return QueueReport(QueueState.NOT_CONNECTED)


async def _look_on(channel: AbstractChannel, queue: topology.Queue, seconds: float) -> QueueReport:
    """Raises AMQPError or ConnectionError where the connection was lost."""
    try:
        async with asyncio.timeout(seconds):
            waiting, consumers = await _ask(channel, queue)
            await channel.close()
    except TimeoutError:
        return QueueReport(QueueState.DOWN)  # and not the broker: it has just opened the channel
    except ChannelNotFoundEntity as error:
        return QueueReport(QueueState.DOWN if SAYS_DOWN in str(error) else QueueState.MISSING)
    except (ChannelClosed, ConnectionInternalError, ConnectionResourceError):
        return QueueReport(QueueState.DOWN)
    return QueueReport(QueueState.FINE, waiting, consumers)


async def _ask(channel: AbstractChannel, queue: topology.Queue) -> tuple[int, int]:
    declared = await channel.get_queue(queue.name)
    waiting = declared.declaration_result.message_count or 0
    consumers = declared.declaration_result.consumer_count or 0
    if queue.kind == "stream":
        await _ask_for_next(channel, declared)
    elif queue.kind == "quorum" and not waiting and not consumers:
        await _ask_for_one(declared)
    return waiting, consumers


async def _ask_for_next(channel: AbstractChannel, stream: AbstractQueue) -> None:
    """Consume from the stream's end, and stop at once: the broker says "ok" before it has tried, so ask on."""
    await channel.set_qos(prefetch_count=1)
    consumer = await stream.consume(_ignore, arguments={"x-stream-offset": "next"})
    await stream.cancel(consumer)


async def _ask_for_one(queue: AbstractQueue) -> None:
    """Ask for a message where there was none a moment ago; one that has come meanwhile is given back."""
    message = await queue.get(fail=False)
    if message is not None:
        await message.nack(requeue=True)


async def _ignore(message: AbstractIncomingMessage) -> None:
    """A stream keeps what is delivered."""
