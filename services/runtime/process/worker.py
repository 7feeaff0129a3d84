"""The server of a worker process: its subscribers, and beside them health and metrics over HTTP."""

import json
from collections.abc import Mapping
from typing import Any

import uvicorn
from faststream.asgi import AsgiFastStream, AsgiResponse, get
from faststream.rabbit import RabbitBroker
from prometheus_client import CollectorRegistry, make_asgi_app

from services.runtime.process.health import Check, Readiness, unready_document
from services.runtime.process.problem_details import PROBLEM_TYPE, problem_document

METHODS = ("GET", "HEAD")


class Worker(AsgiFastStream):
    """Subscribers and a few addresses; any other address is answered with a problem, as by the API."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle a request or the lifespan."""
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        await (refusal or super().__call__)(scope, receive, send)

    async def _start_broker(self) -> None:
        """Nothing: the lifespan has started it, so that a worker which can't consume does not start.

        FastStream would do it after the start is told to be complete. A connection that was cut just then ended the
        lifespan, and left a process that said that it is ready, and did nothing for ever.
        """

    def _refusal(self, scope: Any) -> AsgiResponse | None:
        if scope["path"] not in {path for path, _ in self.routes}:
            return _problem(404, "There is nothing at this address.")
        if scope["method"] not in METHODS:
            return _problem(405, "This address can only be read.", {"allow": ", ".join(METHODS)})
        return None


def worker_app(
    broker: RabbitBroker,
    lifespan: Any,
    checks: Mapping[str, Check],
    registry: CollectorRegistry,
    facts: Mapping[str, str] | None = None,
) -> Worker:
    """The ASGI application of a worker: ``/healthz``, ``/readyz`` (with ``facts``), ``/metrics``."""
    readiness = Readiness(checks, registry)
    show = make_asgi_app(registry)

    @get
    async def healthz(scope: Any) -> AsgiResponse:
        return _json(200, {"status": "ok"})

    @get
    async def readyz(scope: Any) -> AsgiResponse:
        reasons = await readiness.reasons()
        if reasons:
            return _json(503, unready_document(reasons), PROBLEM_TYPE)
        return _json(200, {"status": "ready", **(facts or {})})

    async def metrics(scope: Any, receive: Any, send: Any) -> None:
        await readiness.reasons()
        await show(scope, receive, send)

    routes: list[tuple[str, Any]] = [
        ("/healthz", healthz),
        ("/readyz", readyz),
        ("/metrics", metrics),
    ]
    return Worker(broker, lifespan=lifespan, asgi_routes=routes, logger=None)


def serve_worker(app: AsgiFastStream, port: int, host: str) -> None:
    """Run until SIGTERM or SIGINT; deliveries in hand are finished, or given back after a bound."""
    uvicorn.run(app, host=host, port=port, log_config=None, access_log=False, lifespan="on")


def _json(
    status: int,
    body: Mapping[str, str | int],
    media_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> AsgiResponse:
    return AsgiResponse(
        json.dumps(body).encode(), status, headers={"content-type": media_type, **(headers or {})}
    )


def _problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> AsgiResponse:
    return _json(status, problem_document(status, detail), PROBLEM_TYPE, headers)
