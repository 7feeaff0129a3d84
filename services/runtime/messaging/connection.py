"""Connections to RabbitMQ beside the one on which FastStream works."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
from aio_pika.abc import AbstractConnection
from yarl import URL

from services.runtime.process.asyncio_guards import forget, is_cancelled

CONNECT_SECONDS = 15.0
"""Three answers, and as many more of TLS: also by a broker that takes two seconds for each."""
CLOSE_SECONDS = 2.0
UNBLOCKED_SECONDS = 0.05
HEARTBEAT_SECONDS = 15
"""A connection that brings nothing for three of them is given up, within a minute; aiormq's own 60 took three."""


def broker_address(rabbitmq_url: str) -> str:
    """Return a broker's URL with our heartbeat, unless it says another one."""
    url = URL(rabbitmq_url)
    return rabbitmq_url if "heartbeat" in url.query else str(url.update_query(heartbeat=HEARTBEAT_SECONDS))


@asynccontextmanager
async def broker_connection(
    rabbitmq_url: str, seconds: float = CONNECT_SECONDS
) -> AsyncIterator[AbstractConnection]:
    """Open a connection and close it at the end. Raises AMQPError or ConnectionError, and nothing else of its own.

    aiormq raises a bare Exception when the broker hangs up right after the handshake, and cancels, though nobody
    asked for it, whoever waits for an answer on a connection that it gives up. Passed on, either would end a loop
    that is to outlive the broker. And what closing raises in place of a cancellation would make it lost.
    """
    try:
        connection = await aio_pika.connect(broker_address(rabbitmq_url), timeout=seconds)
        try:
            yield connection
        finally:
            await _close(connection)
    except (asyncio.CancelledError, Exception) as error:
        if is_cancelled():
            raise asyncio.CancelledError from error
        if isinstance(error, asyncio.CancelledError):
            raise ConnectionError("the connection was given up") from error
        if type(error) is Exception:
            raise ConnectionError("the broker hung up") from error
        raise


async def is_blocked(connection: AbstractConnection) -> bool:
    """Return whether the broker has said on this connection that it takes no messages: its memory or disk is short.

    It says so to a connection that has published since, and to no other.
    """
    if connection.transport is None:
        return False
    try:
        async with asyncio.timeout(UNBLOCKED_SECONDS):
            await connection.transport.connection.ready()
    except TimeoutError:
        return True
    return False


async def _close(connection: AbstractConnection) -> None:
    """Close, but not for long: where a question was cut short, the broker may never answer again."""
    closing = asyncio.ensure_future(connection.close())
    await asyncio.wait([closing], timeout=CLOSE_SECONDS)
    if not closing.done():
        closing.add_done_callback(forget)
        closing.cancel()
