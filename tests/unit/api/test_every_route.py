"""Whoever has no token is told so, and nothing else, whatever they ask and however malformed it is."""

import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import jwt
import pytest

from services.api.access.caller import PUBLIC
from services.api.http.methods import METHODS
from services.api.routes.page_routes import page_files
from tests.support.unconnected import SECRET, client_of, routes_of, unconnected_app

pytestmark = pytest.mark.anyio

app = unconnected_app(auth_jwt_secret=SECRET)
ROUTES = sorted(routes_of(app))
GUARDED = sorted({path for _, path in ROUTES if path.startswith("/api/")} - PUBLIC)
OPEN = {
    *PUBLIC, "/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/docs/swagger-ui-bundle.js",
    "/docs/swagger-ui.css", "/docs/favicon.png", "/asyncapi", "/asyncapi.json", "/asyncapi/asyncapi-viewer.js",
}  # fmt: skip
"""What needs no token, beside the files of the page; a route that is added here is added on purpose."""

NONSENSE: dict[str, dict[str, Any]] = {
    "nothing": {},
    "malformed JSON": {"content": b"{", "headers": {"Content-Type": "application/json"}},
    "a body of another type": {"content": b"a=b", "headers": {"Content-Type": "text/plain"}},
    "a form without its boundary": {"content": b"--", "headers": {"Content-Type": "multipart/form-data"}},
    "a length beyond all": {"headers": {"Content-Length": "9" * 15}},
    "parameters that are none": {
        "params": {"limit": "x", "cursor": "-1", "status": "lost", "snapshot": "perhaps"}
    },
    "a NUL in the query": {"params": {"cursor": "\0"}},
    "a token that is none": {"headers": {"Authorization": "Bearer x"}},
    "a token elsewhere": {"params": {"token": "x", "ticket": "x"}},
}


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as client:
        yield client


def test_routes_that_need_no_token_are_known_here() -> None:
    page = {f"/{name}" for name in page_files()}
    assert {path for _, path in ROUTES} - set(GUARDED) - page == OPEN


@pytest.mark.parametrize("nonsense", NONSENSE)
@pytest.mark.parametrize("path", [*GUARDED, "/api/v1/nothing", "/api/v1/documents/", "/api/v2"])
async def test_without_a_token_nonsense_is_no_more_than_unauthenticated(
    path: str, nonsense: str, client: httpx.AsyncClient
) -> None:
    for method in (*METHODS, "HEAD", "OPTIONS"):
        answer = await client.request(method, path, **NONSENSE[nonsense])
        assert (method, answer.status_code) == (method, 401)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_request_counts_once_against_the_rate_of_its_user_whatever_it_asks() -> None:
    token = jwt.encode({"sub": "alice", "exp": time.time() + 60}, SECRET)
    slow = unconnected_app(auth_jwt_secret=SECRET, rate_per_user="2/minute")
    async with client_of(slow, authorization=f"Bearer {token}") as client:
        answers = [await client.post("/api/v1/search", content=b"{") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [422, 422, 429]
    assert answers[0].headers["ratelimit"].count('"user"') == 1


async def test_a_session_needs_no_token_to_be_told_that_it_is_malformed(client: httpx.AsyncClient) -> None:
    json = {"Content-Type": "application/json"}
    assert (await client.post("/api/v1/session", content=b"{", headers=json)).status_code == 422
