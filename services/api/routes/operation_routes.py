"""``/healthz``, ``/readyz`` and ``/metrics`` of the API."""

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from faststream.rabbit import RabbitBroker
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.runtime.process.disk_reserve import DiskReserve
from services.runtime.process.health import broker_check, database_check, unready, unready_document
from services.runtime.process.problem_details import PROBLEM_TYPE


def operations_router(broker: RabbitBroker, engine: AsyncEngine, disk: DiskReserve) -> APIRouter:
    """Return health, readiness and metrics; not part of the API's schema."""
    router = APIRouter(include_in_schema=False)
    checks = {"broker": broker_check(broker), "database": database_check(engine), "disk": disk.check}

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/readyz")
    async def readyz() -> JSONResponse:
        reasons = await unready(checks)
        if not reasons:
            return JSONResponse({"status": "ready"})
        return JSONResponse(unready_document(reasons), 503, media_type=PROBLEM_TYPE)

    @router.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    return router
