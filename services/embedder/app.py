"""The wiring of the embedder's process, with the subscriber of search queries beside that of its stage."""

from dataclasses import replace
from functools import partial

from faststream import AckPolicy
from faststream.asgi import AsgiFastStream
from faststream.rabbit import Channel, RabbitRouter
from faststream.rabbit.annotations import RabbitMessage

from contracts import stages, topology
from contracts.commands import EmbedQuery
from contracts.lanes import Lane
from services.embedder.batcher import Batcher
from services.embedder.embed_command import EmbedCommandHandler
from services.embedder.embedder_settings import EmbedderSettings
from services.embedder.embedding_model import EmbeddingModel
from services.embedder.loading import load_model
from services.embedder.query import embed_query, reply
from services.lifecycle.status_reporter import StatusReporter
from services.runtime.database.vector_index import ensure_vector_index
from services.runtime.messaging.acknowledgement import decode_as
from services.runtime.messaging.broker import passive_queue
from services.runtime.process.background import stop_process
from services.runtime.process.stage_app import StageApp

PREFETCH = 12
"""Batches of a lane in hand at once: enough to fill the model's own batches from several documents."""


def create_app(settings: EmbedderSettings, model: EmbeddingModel | None = None) -> AsgiFastStream:
    """Wire the embedder, with ``model`` in place of that of the settings; connections open in its lifespan."""
    stage = StageApp.create(
        stages.named("embed"), settings, connections=2 * PREFETCH + 2, also_needs=(topology.QUERY,)
    )
    model = model or load_model(settings.embedding_model, settings.model_options)
    handler = EmbedCommandHandler(
        engine=stage.engine,
        model=model,
        batcher=Batcher(model, on_death=stop_process),
        reporter=StatusReporter(stage.publisher, stage.spec.service),
    )
    stage.consume(handler.handle, prefetch=PREFETCH, bulk=replace(handler, lane=Lane.BULK).handle)
    stage.broker.include_router(_query_router(stage, handler))
    prepare = partial(ensure_vector_index, stage.engine, model.name, model.dimensions)
    facts = {"model": model.name, **({"runsOn": str(model.runtime)} if model.runtime else {})}
    return stage.app(handler.batcher, prepare=prepare, facts=facts)


def _query_router(stage: StageApp, handler: EmbedCommandHandler) -> RabbitRouter:
    router = RabbitRouter()

    @router.subscriber(
        passive_queue(topology.QUERY),
        channel=Channel(prefetch_count=PREFETCH, on_return_raises=True),
        ack_policy=AckPolicy.REJECT_ON_ERROR,
        decoder=decode_as(EmbedQuery),
        no_reply=True,  # FastStream would answer a request by itself, with nothing
    )
    async def on_embed_query(query: EmbedQuery, message: RabbitMessage) -> None:
        answer = await embed_query(handler.batcher, handler.model, query)
        await reply(stage.broker, message, answer)

    return router
