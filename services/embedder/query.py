"""Embeds search queries ahead of bulk work and answers to the queue that the caller named."""

from datetime import UTC, datetime

from faststream.rabbit import RabbitBroker
from faststream.rabbit.message import RabbitMessage

from contracts.commands import EmbedQuery, QueryEmbedding
from services.embedder.batcher import Batcher
from services.embedder.embedding_model import EmbeddingModel


async def reply(broker: RabbitBroker, message: RabbitMessage, answer: QueryEmbedding) -> None:
    """Send an answer to whoever asked; nobody minds when the caller has gone meanwhile."""
    await broker.publish(
        answer.to_wire(),
        message.reply_to,
        correlation_id=message.correlation_id,
        content_type="application/json",
        message_type=QueryEmbedding.__name__,
        message_id=f"{message.message_id}/answer",
        timestamp=datetime.now(UTC),
        mandatory=False,  # direct reply-to delivers a mandatory message, and returns it as well
    )


async def embed_query(batcher: Batcher, model: EmbeddingModel, query: EmbedQuery) -> QueryEmbedding:
    """The unit vector of a query text, cut at the model's limit as the model does."""
    vectors = await batcher.embed([query.text], urgent=True)
    return QueryEmbedding(model=model.name, vector=[float(value) for value in vectors[0]])
