"""The wiring of the API's process, and of the tasks that run as long as it does."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from services.api.access.caller import refuse_unprotected
from services.api.access.tickets import run_ticket_expiry
from services.api.api_settings import ApiSettings
from services.api.archive.archive_keeper import ArchiveKeeper
from services.api.http.access_middleware import AccessMiddleware
from services.api.http.allowed_hosts import host_check
from services.api.http.deadline import Deadline
from services.api.http.problems import install_problems
from services.api.http.request_middleware import RequestMiddleware
from services.api.openapi import Api
from services.api.operations.document_steps import DocumentSteps
from services.api.operations.operation_runner import OperationRunner
from services.api.parts import Parts, create_parts
from services.api.recovery.lost_log import LostLog
from services.api.recovery.sweeper import Sweeper
from services.api.routes import (
    bulk_routes,
    dead_letter_routes,
    document_routes,
    event_routes,
    pipeline_routes,
    session_routes,
    ticket_routes,
    webhook_routes,
)
from services.api.routes.asyncapi_routes import asyncapi_router
from services.api.routes.docs_routes import docs_router
from services.api.routes.operation_routes import operations_router
from services.api.routes.page_routes import page_router
from services.runtime.database.migrate import migrate_when_up
from services.runtime.errors import Unavailable
from services.runtime.messaging.declare import declare_topology
from services.runtime.process.background import cancel_all, supervise

START_SECONDS = 60.0
"""The broker may take so long to show the end of the log; then the start is given up."""


def create_app(settings: ApiSettings) -> FastAPI:
    """The ASGI application; connections open in its lifespan."""
    refuse_unprotected(settings)
    parts = create_parts(settings)
    app = Api(title="Stagecast", version="1", lifespan=_lifespan, docs_url=None, redoc_url=None)
    app.state.parts = parts
    install_problems(app)
    _install_middleware(app, parts)
    # The first is found first: when a server comes back, all streams come at once.
    for routes in (
        event_routes,
        document_routes,
        bulk_routes,
        dead_letter_routes,
        pipeline_routes,
        ticket_routes,
        webhook_routes,
        session_routes,
    ):
        app.include_router(routes.router)
    app.include_router(operations_router(parts))
    app.include_router(asyncapi_router(settings))
    app.include_router(docs_router(app))
    app.include_router(page_router())
    return app


def _install_middleware(app: FastAPI, parts: Parts) -> None:
    """The last that is added is outermost."""
    settings = parts.settings
    app.add_middleware(Deadline, seconds=settings.request_seconds)
    app.add_middleware(
        AccessMiddleware,
        authenticate=parts.access.authenticate,
        rates=parts.rates,
        body_seconds=settings.body_seconds,
    )
    if settings.allowed_origins:
        # Around what refuses: a page of another origin is to see that too.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.allowed_origins,
            allow_credentials=True,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Last-Event-ID", "X-Request-ID"],
            expose_headers=["Location", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID"],
        )
    is_ours = host_check(settings.host_names, asks_for_tokens=settings.asks_for_tokens)
    app.add_middleware(RequestMiddleware, is_ours=is_ours)


def _sweeper(parts: Parts) -> Sweeper:
    lost_log = LostLog(parts.engine, parts.reporter)
    return Sweeper(
        parts.engine,
        parts.reporter,
        parts.deletion,
        parts.settings,
        lost_log,
        parts.turns,
        parts.projector.log_began,
    )


def _operations(parts: Parts) -> OperationRunner:
    steps = DocumentSteps(parts.uploads, parts.deletion, parts.reporter)
    return OperationRunner(parts.engine, parts.publisher, steps)


def _archive_keeper(parts: Parts) -> ArchiveKeeper:
    return ArchiveKeeper(parts.engine, parts.event_log, parts.settings.rabbitmq_url)


async def _await_opening(parts: Parts) -> None:
    try:
        async with asyncio.timeout(START_SECONDS):
            await parts.event_log.opened()
            await parts.watch.queues.known()
    except TimeoutError as error:
        raise Unavailable("broker", "the log can't be read") from error


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    parts: Parts = app.state.parts
    await migrate_when_up(parts.database_url)
    await declare_topology(parts.settings.rabbitmq_url)
    await parts.broker.start()
    await asyncio.to_thread(parts.disk.look)
    tasks = [
        supervise(asyncio.create_task(parts.event_log.run(), name="log")),
        supervise(asyncio.create_task(parts.projector.run(), name="projector")),
        supervise(asyncio.create_task(parts.turns.run(), name="turns")),
        supervise(asyncio.create_task(parts.pace_meter.run(), name="paces")),
        supervise(asyncio.create_task(_archive_keeper(parts).run(), name="archive")),
        supervise(asyncio.create_task(run_ticket_expiry(parts.access.tickets), name="tickets")),
        supervise(asyncio.create_task(parts.watch.run(), name="broker watch")),
        supervise(asyncio.create_task(parts.watch.queues.run(), name="queue watch")),
        supervise(asyncio.create_task(parts.disk.run(), name="disk")),
        supervise(asyncio.create_task(_sweeper(parts).run(), name="sweeper")),
        supervise(asyncio.create_task(_operations(parts).run(), name="operations")),
    ]
    try:
        await _await_opening(parts)
        gc.freeze()  # what stands now stays: looking through it again stops all streams for 70 ms
        yield
    finally:
        # The signal has ended all streams already; under another server this is the first that is heard of it.
        await parts.hub.drain()
        await cancel_all(*tasks)
        await parts.access.close()
        await parts.query_embedder.close()
        await parts.broker.stop()
        await parts.engine.dispose()
