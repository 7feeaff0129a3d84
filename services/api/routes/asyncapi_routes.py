"""``/asyncapi``: the queues and their messages, for people and for generators of code.

The viewer comes with a package, as Swagger UI does; FastStream's own page takes its script from elsewhere.
"""

import html
import json
from urllib.parse import urlsplit

from asyncapi_viewer.assets import VIEWER_MODULE, static_path
from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from faststream import AsyncAPI
from faststream.rabbit import RabbitBroker

from contracts import stages, topology
from contracts.commands import EmbedQuery, QueryEmbedding, StageCommand
from contracts.events import DocumentDeleted, OperationProgress, StatusEvent
from contracts.lanes import Lane
from services.api.api_settings import ApiSettings
from services.runtime.messaging.broker import passive_exchange, passive_queue

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

PAGE = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>Stagecast AsyncAPI</title>
  <link rel="icon" href="/icon.svg" type="image/svg+xml">
  <script type="module" src="/asyncapi/{script}"></script>
</head>
<body>
  <asyncapi-viewer src="/asyncapi.json" sidebar>
    <h1>Stagecast AsyncAPI</h1>
    <pre>{plain}</pre>
  </asyncapi-viewer>
</body>
</html>
"""
"""The content of the viewer's element is read where no script runs."""


_LANES = {Lane.FIRST: "Somebody waits for it.", Lane.BULK: "It is large, or one of many."}


def asyncapi_router(settings: ApiSettings) -> APIRouter:
    """Return the routes of the specification as HTML and as JSON."""
    specification = AsyncAPI(
        describe_queues(settings.rabbitmq_url),
        title="Stagecast",
        version="1",
        description=list_queues(),
        schema_version="3.0.0",
    )
    router = APIRouter(include_in_schema=False)

    @router.get("/asyncapi")
    async def document() -> HTMLResponse:
        described = specification.to_specification().to_jsonable()
        plain = html.escape(json.dumps(described, indent=2, ensure_ascii=False))
        page = PAGE.format(script=VIEWER_MODULE, plain=plain)
        return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})

    @router.get(f"/asyncapi/{VIEWER_MODULE}")
    async def script() -> FileResponse:
        return FileResponse(static_path(VIEWER_MODULE))

    @router.get("/asyncapi.json")
    async def as_json() -> JSONResponse:
        return JSONResponse(specification.to_specification().to_jsonable())

    return router


def list_queues() -> str:
    """Return a table of all queues in Markdown, also of those that only the broker moves messages to."""
    rows = (
        f"| `{queue.name}` | {queue.kind} | "
        + ", ".join(f"`{exchange.name}` `{key}`" for exchange, key in queue.bindings)
        + " |"
        for queue in sorted(topology.queues(), key=lambda queue: queue.name)
    )
    return "\n".join(
        (
            "All queues, as the services declare them:",
            "",
            "| queue | kind | bound to |",
            "| --- | --- | --- |",
            *rows,
        )
    )


def _describe_stage(broker: RabbitBroker, spec: stages.StageSpec) -> None:
    async def handle(command: StageCommand) -> None:
        """Never called."""

    # Described by its annotation; which type that is stands in the table of stages.
    handle.__annotations__["command"] = spec.command
    for lane, said in _LANES.items():
        queue = passive_queue(topology.work_queue(spec.name, lane))
        title = spec.command.__name__ + ("" if lane is Lane.FIRST else lane.capitalize())
        broker.subscriber(queue, title=title, description=f"{spec.command.__doc__} {said}")(handle)


def _without_credentials(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def describe_queues(rabbitmq_url: str) -> RabbitBroker:
    """Return a broker that is never started: it stands for what the services consume and publish."""
    broker = RabbitBroker(
        specification_url=_without_credentials(rabbitmq_url),
        description="Documents go through stages; each step is an event.",
    )
    broker.publisher(
        exchange=passive_exchange(topology.EVENTS), routing_key="<source>.<status>", schema=StatusEvent,
        title="StatusEvents", description="Every step of every document, kept in the stream stagecast.events.log.",
    )  # fmt: skip
    broker.publisher(
        exchange=passive_exchange(topology.EVENTS), routing_key="api.deleted", schema=DocumentDeleted,
        title="Deletions", description="A document and all that was made of it is gone; in the same stream.",
    )  # fmt: skip

    broker.publisher(
        exchange=passive_exchange(topology.EVENTS), routing_key="api.operation", schema=OperationProgress,
        title="Operations", description="How far a bulk call has come; in the same stream.",
    )  # fmt: skip

    for spec in stages.STAGES:
        _describe_stage(broker, spec)

    @broker.subscriber(passive_queue(topology.QUERY), title="EmbedQuery")
    async def query(query: EmbedQuery) -> QueryEmbedding:
        """An embedder embeds a search query and answers to reply_to."""
        raise NotImplementedError

    return broker
