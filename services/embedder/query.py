"""Embeds search queries ahead of bulk work and answers to the queue that the caller named."""

from datetime import UTC, datetime

from aio_pika.exceptions import PublishError
from faststream.rabbit import RabbitBroker
from faststream.rabbit.message import RabbitMessage

from contracts.commands import EmbedQuery, QueryEmbedding
from services.embedder.batcher import Batcher
from services.embedder.embedding_model import EmbeddingModel
from services.runtime.process.logging import get_logger

log = get_logger(__name__)


async def reply(broker: RabbitBroker, message: RabbitMessage, answer: QueryEmbedding) -> None:
    """Send an answer to whoever asked; nobody minds when the caller has gone meanwhile."""
    try:
        await broker.publish(
            answer.to_wire(),
            message.reply_to,
            correlation_id=message.correlation_id,
            content_type="application/json",
            message_type=QueryEmbedding.__name__,
            message_id=f"{message.message_id}/answer",
            timestamp=datetime.now(UTC),
        )
    except PublishError:
        log.info("the caller of a query is gone")


async def embed_query(batcher: Batcher, model: EmbeddingModel, query: EmbedQuery) -> QueryEmbedding:
    """The unit vector of a query text, cut at the model's limit as the model does."""
    vectors = await batcher.embed([query.text], urgent=True)
    return QueryEmbedding(model=model.name, vector=[float(value) for value in vectors[0]])
