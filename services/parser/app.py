"""The parser's process: what it is wired from, and its one subscriber."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from faststream import AckPolicy
from faststream.asgi import AsgiFastStream
from faststream.rabbit import Channel, RabbitRouter
from faststream.rabbit.annotations import RabbitMessage
from faststream.rabbit.prometheus import RabbitPrometheusMiddleware
from prometheus_client import CollectorRegistry

from contracts import topology
from contracts.commands import ParseDocument
from services.lifecycle.intake import resolve_command
from services.lifecycle.status_reporter import StatusReporter
from services.parser.parse_command import ParseCommandHandler
from services.parser.parser_settings import ParserSettings
from services.parser.sandbox import Sandbox
from services.runtime.database.engine import create_engine, required_database_url
from services.runtime.database.migrate import migrate_when_up
from services.runtime.messaging.acknowledgement import acknowledging, decode_as
from services.runtime.messaging.broker import create_broker, passive_queue
from services.runtime.messaging.declare import declare_topology
from services.runtime.messaging.publisher import Publisher
from services.runtime.object_store import ObjectStore
from services.runtime.process.health import broker_check, database_check
from services.runtime.process.worker import worker_app


def create_app(settings: ParserSettings) -> AsgiFastStream:
    """Wire the parser; connections open in its lifespan."""
    registry = CollectorRegistry()
    database_url = required_database_url(settings)
    engine = create_engine(database_url, pool_size=settings.parse_concurrency + 2)
    broker = create_broker(settings, "parser", [RabbitPrometheusMiddleware(registry=registry)])
    publisher = Publisher(broker)
    parsing = ParseCommandHandler(
        engine=engine,
        objects=ObjectStore(settings.object_store_url),
        sandbox=_sandbox(settings),
        publisher=publisher,
        reporter=StatusReporter(publisher, "parser"),
        batch_chunks=settings.embed_batch_chunks,
    )
    broker.include_router(_router(parsing, prefetch=settings.parse_concurrency))

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(engine.dispose)
            await migrate_when_up(database_url)
            await declare_topology(settings.rabbitmq_url)
            await stack.enter_async_context(parsing.sandbox)
            yield

    checks = {"broker": broker_check(broker), "database": database_check(engine)}
    return worker_app(broker, lifespan, checks, registry)


def _router(parsing: ParseCommandHandler, *, prefetch: int) -> RabbitRouter:
    router = RabbitRouter(middlewares=[acknowledging("parse", parsing.publisher)])

    @router.subscriber(
        passive_queue(topology.PARSE),
        channel=Channel(prefetch_count=prefetch, on_return_raises=True),
        ack_policy=AckPolicy.MANUAL,
        decoder=decode_as(ParseDocument),
    )
    async def on_parse_document(command: ParseDocument, message: RabbitMessage) -> None:
        document = await resolve_command(
            parsing.engine, parsing.publisher, parsing.reporter, command, message
        )
        if document is not None:
            await parsing.parse(document)

    return router


def _sandbox(settings: ParserSettings) -> Sandbox:
    return Sandbox(
        processes=settings.parse_concurrency,
        memory_bytes=settings.parse_memory_bytes,
        timeout_seconds=settings.parse_timeout_seconds,
        pdf_engine=settings.pdf_engine,
        embedding_model=settings.embedding_model,
    )
