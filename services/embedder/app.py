"""The embedder's process: what it is wired from, and its two subscribers."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from faststream import AckPolicy
from faststream.asgi import AsgiFastStream
from faststream.rabbit import Channel, RabbitBroker, RabbitRouter
from faststream.rabbit.annotations import RabbitMessage
from faststream.rabbit.prometheus import RabbitPrometheusMiddleware
from prometheus_client import CollectorRegistry

from contracts import topology
from contracts.commands import EmbedChunks, EmbedQuery
from services.embedder.batcher import Batcher
from services.embedder.embed_command import EmbedCommandHandler
from services.embedder.embedder_settings import EmbedderSettings
from services.embedder.embedding_model import EmbeddingModel, load_model
from services.embedder.query import embed_query, reply
from services.lifecycle.intake import resolve_command
from services.lifecycle.status_reporter import StatusReporter
from services.runtime.database.engine import create_engine, required_database_url
from services.runtime.database.migrate import migrate_when_up
from services.runtime.database.vector_index import ensure_vector_index
from services.runtime.messaging.acknowledgement import acknowledging, decode_as
from services.runtime.messaging.broker import create_broker, passive_queue
from services.runtime.messaging.declare import declare_topology
from services.runtime.messaging.publisher import Publisher
from services.runtime.process.background import stop_process
from services.runtime.process.health import broker_check, database_check
from services.runtime.process.worker import worker_app

PREFETCH = 12
"""Batches in hand at once: enough to fill the model's own batches from several documents."""


def create_app(settings: EmbedderSettings, model: EmbeddingModel | None = None) -> AsgiFastStream:
    """Wire the embedder, with ``model`` in place of that of the settings; connections open in its lifespan."""
    registry = CollectorRegistry()
    database_url = required_database_url(settings)
    engine = create_engine(database_url, pool_size=PREFETCH + 2)
    broker = create_broker(settings, "embedder", [RabbitPrometheusMiddleware(registry=registry)])
    publisher = Publisher(broker)
    model = model or load_model(settings.embedding_model, threads=settings.embed_threads)
    embedding = EmbedCommandHandler(
        engine=engine,
        model=model,
        batcher=Batcher(model, on_death=stop_process),
        publisher=publisher,
        reporter=StatusReporter(publisher, "embedder"),
    )
    broker.include_routers(_chunks_router(embedding), _query_router(broker, embedding))

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(engine.dispose)
            await migrate_when_up(database_url)
            await ensure_vector_index(engine, model.name, model.dimensions)
            await declare_topology(settings.rabbitmq_url)
            await stack.enter_async_context(embedding.batcher)
            yield

    checks = {"broker": broker_check(broker), "database": database_check(engine)}
    return worker_app(broker, lifespan, checks, registry)


def _chunks_router(embedding: EmbedCommandHandler) -> RabbitRouter:
    router = RabbitRouter(middlewares=[acknowledging("embed", embedding.publisher)])

    @router.subscriber(
        passive_queue(topology.EMBED),
        channel=Channel(prefetch_count=PREFETCH, on_return_raises=True),
        ack_policy=AckPolicy.MANUAL,
        decoder=decode_as(EmbedChunks),
    )
    async def on_embed_chunks(command: EmbedChunks, message: RabbitMessage) -> None:
        document = await resolve_command(
            embedding.engine, embedding.publisher, embedding.reporter, command, message
        )
        if document is not None:
            await embedding.embed(document, command)

    return router


def _query_router(broker: RabbitBroker, embedding: EmbedCommandHandler) -> RabbitRouter:
    router = RabbitRouter()

    @router.subscriber(
        passive_queue(topology.QUERY),
        channel=Channel(prefetch_count=PREFETCH, on_return_raises=True),
        ack_policy=AckPolicy.REJECT_ON_ERROR,
        decoder=decode_as(EmbedQuery),
    )
    async def on_embed_query(query: EmbedQuery, message: RabbitMessage) -> None:
        answer = await embed_query(embedding.batcher, embedding.model, query)
        await reply(broker, message, answer)

    return router
