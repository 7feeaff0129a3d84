"""``/healthz``, ``/readyz`` and ``/metrics`` of the API."""

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest

from services.api.parts import Parts
from services.runtime.process.health import Readiness, broker_check, database_check, unready_document
from services.runtime.process.problem_details import PROBLEM_TYPE


def operations_router(parts: Parts) -> APIRouter:
    """Return health, readiness and metrics; not part of the API's schema."""
    router = APIRouter(include_in_schema=False)
    registry = CollectorRegistry()
    checks = {
        "broker": broker_check(parts.broker, parts.watch),
        "log": parts.event_log.check,
        "database": database_check(parts.engine),
        "disk": parts.disk.check,
    }
    readiness = Readiness(checks, registry)

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/readyz")
    async def readyz() -> JSONResponse:
        reasons = await readiness.reasons()
        if not reasons:
            return JSONResponse({"status": "ready"})
        return JSONResponse(unready_document(reasons), 503, media_type=PROBLEM_TYPE)

    @router.get("/metrics")
    async def metrics() -> Response:
        await readiness.reasons()
        return Response(generate_latest(REGISTRY) + generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return router
