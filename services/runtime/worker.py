"""How a worker process is served: its subscribers, and beside them health and metrics over HTTP."""

import json
from collections.abc import Mapping
from typing import Any

import uvicorn
from faststream.asgi import AsgiFastStream, AsgiResponse, get
from faststream.rabbit import RabbitBroker
from prometheus_client import CollectorRegistry, make_asgi_app

from services.runtime.health import Check, unready


def worker_app(
    broker: RabbitBroker, lifespan: Any, checks: Mapping[str, Check], registry: CollectorRegistry
) -> AsgiFastStream:
    """The ASGI application of a worker: ``/healthz``, ``/readyz``, ``/metrics``."""

    @get
    async def healthz(scope: Any) -> AsgiResponse:
        return _json(200, {"status": "ok"})

    @get
    async def readyz(scope: Any) -> AsgiResponse:
        reasons = await unready(checks)
        return _json(503 if reasons else 200, {"status": "unready" if reasons else "ready", **reasons})

    routes: list[tuple[str, Any]] = [
        ("/healthz", healthz),
        ("/readyz", readyz),
        ("/metrics", make_asgi_app(registry)),
    ]
    return AsgiFastStream(broker, lifespan=lifespan, asgi_routes=routes, logger=None)


def serve_worker(app: AsgiFastStream, port: int, host: str) -> None:
    """Run until SIGTERM or SIGINT; deliveries in hand are finished, or given back after a bound."""
    uvicorn.run(app, host=host, port=port, log_config=None, access_log=False, lifespan="on")


def _json(status: int, body: dict[str, str]) -> AsgiResponse:
    return AsgiResponse(json.dumps(body).encode(), status, headers={"content-type": "application/json"})
