"""Connections to RabbitMQ beside the one on which FastStream works."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
from aio_pika.abc import AbstractConnection

from services.runtime.process.asyncio_guards import forget, is_cancelled

CONNECT_SECONDS = 5.0
CLOSE_SECONDS = 2.0


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
        connection = await aio_pika.connect(rabbitmq_url, timeout=seconds)
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


async def _close(connection: AbstractConnection) -> None:
    """Close, but not for long: where a question was cut short, the broker may never answer again."""
    closing = asyncio.ensure_future(connection.close())
    await asyncio.wait([closing], timeout=CLOSE_SECONDS)
    if not closing.done():
        closing.add_done_callback(forget)
        closing.cancel()
