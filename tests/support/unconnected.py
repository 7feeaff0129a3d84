"""The API's application with all its routes, and no connection behind it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from services.api.api_settings import ApiSettings
from services.api.app import create_app

NOWHERE = "postgresql://127.0.0.1:1/nowhere"
SECRET = "a-shared-secret-of-thirty-two-bytes!"


def unconnected_app(**settings: object) -> FastAPI:
    """The application with these settings; what needs the database or the broker answers 503."""
    return create_app(ApiSettings.model_validate({"database_url": NOWHERE, **settings}))


def routes_of(app: FastAPI) -> list[tuple[str, str]]:
    """All methods and paths that are answered; what stands in braces of a path is ``x``."""
    return [
        (method, (route.path or "").replace("{", "").replace("}", ""))
        for route in iter_route_contexts(app.routes)
        for method in sorted(route.methods or ())
    ]


@asynccontextmanager
async def client_of(app: FastAPI, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://localhost:3000", headers=headers
    ) as client:
        yield client
