"""Has search queries embedded by the embedders, so that the API needs no model."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from pydantic import ValidationError
from uuid_utils import uuid4

from contracts import topology
from contracts.commands import EmbedQuery, QueryEmbedding
from services.runtime.errors import BROKER_ERRORS, Unavailable
from services.runtime.messaging.connection import CONNECT_SECONDS, broker_address
from services.runtime.process.asyncio_guards import forget

ANSWER_SECONDS = 10.0
REFUSED_SECONDS = 0.5
"""An alarm is noticed so soon after it began."""
REPLY_TO = "amq.rabbitmq.reply-to"


class QueryEmbedder:
    """Asks by request and direct reply-to; replies are matched by correlation id, many at a time.

    Beside FastStream's ``broker.request``, which a lock lets through one at a time.
    """

    def __init__(self, rabbitmq_url: str, *, refuse: Callable[[], None]) -> None:
        """``refuse`` raises Unavailable while the broker is known to take no query."""
        self._url = rabbitmq_url
        self._refuse = refuse
        self._waiting: dict[str, asyncio.Future[QueryEmbedding]] = {}
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._opening: asyncio.Task[AbstractChannel] | None = None

    async def embed(self, query: str) -> QueryEmbedding:
        """Return the embedding of a query; raises Unavailable when no embedder answers in time, or none would."""
        asked = asyncio.ensure_future(self._answer_to(query))
        try:
            while not asked.done():
                self._refuse()  # also while it waits: nobody answers through a broker that stopped since
                await asyncio.wait([asked], timeout=REFUSED_SECONDS)
            if asked.cancelled():  # by aiormq, when its connection is lost
                raise Unavailable("embedder", "the connection was lost")
            return await asked
        except BROKER_ERRORS as error:
            raise Unavailable("embedder", "no answer in time") from error
        finally:
            asked.cancel()

    async def _answer_to(self, query: str) -> QueryEmbedding:
        correlation_id = str(uuid4())
        answer: asyncio.Future[QueryEmbedding] = asyncio.get_running_loop().create_future()
        self._waiting[correlation_id] = answer
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._ask(query, correlation_id)
                return await answer
        finally:
            del self._waiting[correlation_id]

    async def close(self) -> None:
        """Close the connection, if one was opened."""
        if self._opening is not None:
            self._opening.cancel()
        if self._connection is not None:
            await self._connection.close()

    async def _ask(self, query: str, correlation_id: str) -> None:
        channel = await self._opened_channel()
        exchange = await channel.get_exchange(topology.COMMANDS.name, ensure=False)
        message = aio_pika.Message(
            EmbedQuery(text=query).to_wire(),
            content_type="application/json",
            type=EmbedQuery.__name__,
            message_id=correlation_id,
            correlation_id=correlation_id,
            reply_to=REPLY_TO,
            timestamp=datetime.now(UTC),
            app_id="stagecast.api",
            expiration=ANSWER_SECONDS,
        )
        await exchange.publish(message, "query", timeout=ANSWER_SECONDS)

    async def _opened_channel(self) -> AbstractChannel:
        if self._channel is not None and not self._channel.is_closed:
            return self._channel
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._open_channel())
            self._opening.add_done_callback(forget)
        # Shielded: a slow broker is connected to for the next query, if not in time for this one.
        return await asyncio.shield(self._opening)

    async def _open_channel(self) -> AbstractChannel:
        if self._connection is not None:
            await self._connection.close()
        self._connection = await aio_pika.connect(broker_address(self._url), timeout=CONNECT_SECONDS)
        # Replies come back on the channel that asked, and on no other.
        channel = await self._connection.channel(on_return_raises=True)
        replies = await channel.get_queue(REPLY_TO, ensure=False)
        await replies.consume(self._on_reply, no_ack=True)
        self._channel = channel
        return channel

    async def _on_reply(self, message: AbstractIncomingMessage) -> None:
        answer = self._waiting.get(message.correlation_id or "")
        if answer is None or answer.done():
            return  # the caller gave up
        try:
            answer.set_result(QueryEmbedding.model_validate_json(message.body))
        except ValidationError as error:
            answer.set_exception(error)
