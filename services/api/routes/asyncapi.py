"""``/asyncapi``: the queues and their messages, for people and for generators of code."""

import html
import json
from urllib.parse import urlsplit

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, JSONResponse
from faststream import AsyncAPI
from faststream.rabbit import RabbitBroker
from faststream.specification.asyncapi import get_asyncapi_html

from contracts import topology
from contracts.commands import EmbedChunks, EmbedQuery, ParseDocument, QueryEmbedding
from contracts.events import DocumentDeleted, StatusEvent
from services.runtime.broker import passive_exchange, passive_queue
from services.runtime.settings import Settings

FOREIGN_SCRIPT_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src https://unpkg.com 'unsafe-inline' 'unsafe-eval'; "
    "style-src https://unpkg.com 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
)
"""FastStream's page runs a script from elsewhere. The sandbox gives it an origin of its own, from where it
reaches neither the caller's cookie nor the API."""


def asyncapi_router(settings: Settings) -> APIRouter:
    """The specification as HTML and as JSON."""
    specification = AsyncAPI(
        describe_queues(settings.rabbitmq_url), title="Stagecast", version="1", schema_version="3.0.0"
    )
    router = APIRouter(include_in_schema=False)

    @router.get("/asyncapi")
    async def document() -> HTMLResponse:
        described = specification.to_specification()
        page = _readable(get_asyncapi_html(described, try_it_out_path=None), described.to_jsonable())
        return HTMLResponse(page, headers={"Content-Security-Policy": FOREIGN_SCRIPT_POLICY})

    @router.get("/asyncapi.json")
    async def as_json() -> JSONResponse:
        return JSONResponse(specification.to_specification().to_jsonable())

    return router


def _without_credentials(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _readable(page: str, described: object) -> str:
    """The page with the description in the place that its script fills: it comes from elsewhere, or does not."""
    plain = html.escape(json.dumps(described, indent=2, ensure_ascii=False))
    place = '<div id="asyncapi">'
    return page.replace(place, f"{place}<h1>Stagecast AsyncAPI</h1><pre>{plain}</pre>", 1)


def describe_queues(rabbitmq_url: str) -> RabbitBroker:
    """A broker that is never started: it stands for what the services consume and publish."""
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

    @broker.subscriber(passive_queue(topology.PARSE), title="ParseDocument")
    async def parse(command: ParseDocument) -> None:
        """The parser turns a document's bytes into chunks."""

    @broker.subscriber(passive_queue(topology.EMBED), title="EmbedChunks")
    async def embed(command: EmbedChunks) -> None:
        """The embedder embeds one batch of a document's chunks."""

    @broker.subscriber(passive_queue(topology.QUERY), title="EmbedQuery")
    async def query(query: EmbedQuery) -> QueryEmbedding:
        """An embedder embeds a search query and answers to reply_to."""
        raise NotImplementedError

    return broker
