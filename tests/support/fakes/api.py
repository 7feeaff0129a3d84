"""A small server that speaks the contract's HTTP from memory, for tests of clients.

It behaves as far as clients can see; nothing is stored, parsed or embedded. To look at the page with it:
``python -m tests.support.fakes.api``.
"""

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import HTTP
from pathlib import Path
from typing import Any
from uuid import uuid4

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from contracts.statuses import TERMINAL, Status
from contracts.wire import rfc3339
from services.api.http.security_headers import PAGE_POLICY
from tests.support.fakes.clock import now
from tests.support.fakes.documents import CHUNKS, FakeDocuments, media_type, text_of
from tests.support.fakes.event_log import EventLog

PAGE = Path(__file__).parents[3] / "services" / "api" / "page"


class Problem(HTTPException):
    """An answer in RFC 9457's shape."""


async def _as_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    told = {"title": error.detail, "status": error.status_code, "detail": error.detail}
    body = {"type": "about:blank", **told}
    return JSONResponse(body, error.status_code, media_type="application/problem+json")


class _Strict(StaticFiles):
    """Files under the API's own policy for content, so that tests notice what the page would break."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Content-Security-Policy"] = PAGE_POLICY
        return response


@dataclass
class FakeApi:
    """The routes and what is behind them."""

    api_key: str = "test-key"
    max_upload_bytes: int = 1_000_000
    log: EventLog = field(default_factory=EventLog)
    ready: bool = True
    received: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    searched: list[dict[str, Any]] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)
    bulk: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    pipeline: dict[str, Any] | None = None
    dead_letters: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.documents = FakeDocuments(self.log)

    def app(self) -> Starlette:
        """Everything under one application."""
        one = "/api/v1/documents/{id}"
        routes = [
            Route("/healthz", lambda _: JSONResponse({"status": "ok"})),
            Route("/readyz", self._ready),
            Route("/api/v1/events", self._events),
            Route("/api/v1/events/webhook/document-processing", self._webhook, methods=["POST"]),
            Route("/api/v1/documents", self._list),
            Route("/api/v1/documents", self._upload, methods=["POST"]),
            Route(one, self._document),
            Route(one, self._delete, methods=["DELETE"]),
            Route("/api/v1/documents/{kind:str}", self._bulk, methods=["POST"]),
            Route(f"{one}/retry", self._retry, methods=["POST"]),
            Route(f"{one}/cancel", self._cancel, methods=["POST"]),
            Route(f"{one}/events", self._history),
            Route(f"{one}/chunks", self._chunks),
            Route("/api/v1/pipeline", self._pipeline),
            Route("/api/v1/dead-letters", lambda _: JSONResponse({"items": self.dead_letters})),
            Route("/api/v1/search", self._search, methods=["POST"]),
            Mount("/", _Strict(directory=PAGE, html=True)),
        ]
        return Starlette(routes=routes, exception_handlers={HTTPException: _as_problem})

    async def _ready(self, request: Request) -> Response:
        if not self.ready:
            raise Problem(503, "The broker does not answer.")
        return JSONResponse({"status": "ready"})

    async def _events(self, request: Request) -> Response:
        self.headers.append(dict(request.headers))
        resume = request.headers.get("last-event-id") or request.query_params.get("lastEventId")
        only = frozenset(request.query_params.getlist("documentId"))
        return StreamingResponse(self.log.stream(resume, only), media_type="text/event-stream")

    async def _webhook(self, request: Request) -> Response:
        if request.headers.get("x-webhook-key") != self.api_key:
            raise Problem(401, "The webhook key is missing or wrong.")
        body = await request.json()
        self.received.append(body)
        event: dict[str, Any] = {"message": "", "metadata": {}, "ownerId": None, "attempt": 1}
        event |= {"eventId": str(uuid4()), "timestamp": rfc3339(now()), "source": "webhook:internal"}
        event |= body
        self.documents.record(event)
        return JSONResponse({"accepted": True, "eventId": event["eventId"]}, 202)

    async def _list(self, request: Request) -> Response:
        self.listed.append(str(request.query_params))
        start, limit = (int(request.query_params.get(name, 0)) for name in ("cursor", "limit"))
        matching = self.documents.matching(request.query_params.multi_items())
        shown = matching[start : start + (limit or 50)]
        after = str(start + len(shown)) if start + len(shown) < len(matching) else None
        return JSONResponse({"items": shown, "nextCursor": after, "position": self.log.position})

    async def _upload(self, request: Request) -> Response:
        filename, content = await self._file(request)
        if len(content) > self.max_upload_bytes:
            raise Problem(413, f"The file is larger than {self.max_upload_bytes} bytes.")
        if media_type(content) is None:
            raise Problem(415, "No parser for this content.")
        document = self.documents.same_bytes(content)
        if document is not None and request.query_params.get("force") != "true":
            return JSONResponse(document)
        document = document or self.documents.add(str(uuid4()), filename, content)
        self.documents.process(document["documentId"])
        return JSONResponse(document, 202, {"Location": f"/api/v1/documents/{document['documentId']}"})

    async def _file(self, request: Request) -> tuple[str, bytes]:
        form = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode() + await request.body()
        part = next(message_from_bytes(form, policy=HTTP).iter_parts())
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        return part.get_filename() or "upload", content

    def _known(self, request: Request) -> str:
        document_id: str = request.path_params["id"]
        if document_id not in self.documents.by_id:
            raise Problem(404, "There is no such document.")
        return document_id

    async def _document(self, request: Request) -> Response:
        document = self.documents.by_id[self._known(request)]
        return JSONResponse({**document, "position": self.log.position})

    async def _delete(self, request: Request) -> Response:
        self.documents.remove(self._known(request))
        return Response(status_code=204)

    async def _retry(self, request: Request) -> Response:
        document_id = self._known(request)
        if self.documents.by_id[document_id]["status"] not in TERMINAL:
            raise Problem(409, "The document is being processed.")
        self.documents.process(document_id)
        return JSONResponse(self.documents.by_id[document_id], 202)

    async def _cancel(self, request: Request) -> Response:
        document_id = self._known(request)
        told = {"error": "The document was cancelled.", "code": "cancelled", "stage": "parsing"}
        self.documents.report(document_id, Status.FAILED, 0, **told, retryable=True)
        return JSONResponse(self.documents.by_id[document_id], 202)

    async def _bulk(self, request: Request) -> Response:
        body = (await request.json())["filter"]
        pairs = [
            (key, one)
            for key, values in body.items()
            for one in ([values] if isinstance(values, str) else values)
        ]
        matched = [one["documentId"] for one in self.documents.matching(pairs)]
        if request.query_params.get("dryRun") == "true":
            return JSONResponse({"matched": len(matched)})
        kind = request.path_params["kind"]
        self.bulk.append((kind, body))
        if kind == "delete":
            for document_id in matched:
                self.documents.remove(document_id)
        told = {"operationId": f"op-{len(self.bulk)}", "kind": kind, "matched": len(matched)}
        end = {**told, "done": len(matched), "ended": True, "ownerId": None, "timestamp": rfc3339(now())}
        self.log.append("operation", end)
        return JSONResponse(told, 202)

    async def _history(self, request: Request) -> Response:
        known = self._known(request)
        events = [data for _, data in self.log.entries if data.get("documentId") == known]
        return JSONResponse({"items": events, "nextCursor": None})

    async def _chunks(self, request: Request) -> Response:
        text = text_of(self.documents.contents.get(self._known(request), b""))
        chunk = {
            "index": 0,
            "text": text,
            "tokenCount": 7,
            "pageStart": 1,
            "pageEnd": 1,
            "headings": ["Head"],
        }
        return JSONResponse({"items": [chunk] if text else [], "nextCursor": None})

    async def _pipeline(self, request: Request) -> Response:
        if self.pipeline is None:
            raise Problem(403, "Only administrators may see it.")
        return JSONResponse(self.pipeline)

    async def _search(self, request: Request) -> Response:
        body = await request.json()
        self.searched.append(body)
        wanted = body.get("documentIds")
        found = [key for key in self.documents.found(body["query"]) if not wanted or key in wanted]
        items = [
            self._hit(key, rank, body["query"]) for rank, key in enumerate(found[: body.get("limit", 10)])
        ]
        return JSONResponse({"mode": body.get("mode", "hybrid"), "model": "fake", "items": items})

    def _hit(self, document_id: str, rank: int, query: str) -> dict[str, Any]:
        text = text_of(self.documents.contents[document_id])[:2000]
        start = text.lower().find(query.lower())
        return {
            "documentId": document_id,
            "filename": self.documents.by_id[document_id]["filename"],
            "chunkIndex": rank % CHUNKS,
            "text": text,
            "highlights": [[start, start + len(query)]] if start >= 0 else [],
            "pageStart": 1,
            "pageEnd": 1 + rank % 2,
            "score": 0.93 / (rank + 1),
        }


@dataclass
class Running:
    """A fake that listens: ``url`` for clients, ``api`` for tests to look behind it."""

    api: FakeApi
    url: str
    loop_calls: Any

    @property
    def api_key(self) -> str:
        """The key that its webhook takes."""
        return self.api.api_key

    def cut(self) -> None:
        """End every open stream."""
        self.loop_calls(self.api.log.cut)

    def forget(self) -> None:
        """Make every event id unknown and cut the streams."""
        self.loop_calls(self.api.log.forget)

    def report(self, document_id: str, status: Status, **metadata: Any) -> None:
        """Let a stage report a status."""
        self.loop_calls(lambda: self.api.documents.report(document_id, status, 0, **metadata))


class _Server(uvicorn.Server):
    """uvicorn in a thread: it tells when it listens, and in which loop."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = threading.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.loop = asyncio.get_running_loop()
        self.listens.set()


@contextlib.contextmanager
def running(api: FakeApi) -> Iterator[Running]:
    """Serve the fake on a free port until the block ends."""
    config = uvicorn.Config(api.app(), port=0, log_level="critical", timeout_graceful_shutdown=0)
    server = _Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        if not server.listens.wait(10):
            raise RuntimeError("the fake server does not start")
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Running(api, f"http://127.0.0.1:{port}", server.loop.call_soon_threadsafe)
    finally:
        server.should_exit = True
        if server.listens.is_set():
            server.loop.call_soon_threadsafe(api.log.cut)
        thread.join(10)


if __name__ == "__main__":
    fake = FakeApi()
    fake.documents.step_seconds = 0.6
    print(json.dumps({"url": "http://127.0.0.1:3900", "key": fake.api_key}))  # noqa: T201 - the test reads it
    uvicorn.run(fake.app(), port=3900)
