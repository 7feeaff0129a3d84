"""Embeds search queries ahead of bulk work and answers to the queue that the caller named."""

from contracts.commands import EmbedQuery, QueryEmbedding
from services.embedder.batching import Batcher
from services.embedder.model import EmbeddingModel


async def embed_query(batcher: Batcher, model: EmbeddingModel, query: EmbedQuery) -> QueryEmbedding:
    """The unit vector of a query text, cut at the model's limit as the model does."""
    vectors = await batcher.embed([query.text], urgent=True)
    return QueryEmbedding(model=model.name, vector=[float(value) for value in vectors[0]])
