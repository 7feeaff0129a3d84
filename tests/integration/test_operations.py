"""What operators and their tools ask: health, readiness, metrics, descriptions, and what is no address at all."""

import json

import httpx
import pytest

from tests.support.system import System

SERVICES = ("api", "parser", "embedder")


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_tells_its_health_and_metrics(system: System, name: str) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{system.ports[name]}") as client:
        for path in ("/healthz", "/readyz", "/metrics"):
            assert client.get(path).status_code == 200
            assert (client.head(path).status_code, client.head(path).content) == (200, b"")
        metrics = client.get("/metrics").text
    assert ("python_info" if name == "api" else "faststream_received_messages") in metrics


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_no_address_or_no_method_of_it_is_a_problem(system: System, name: str) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{system.ports[name]}") as client:
        nowhere, unwritable = client.get("/nothing"), client.post("/healthz")
    for answer, status in ((nowhere, 404), (unwritable, 405)):
        assert (answer.status_code, answer.json()["status"]) == (status, status)
        assert answer.headers["content-type"] == "application/problem+json"
    assert unwritable.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/api/v1/documents", "GET, POST, HEAD"),
        ("/api/v1/documents/some-id", "GET, DELETE, HEAD"),
        ("/api/v1/search", "POST"),
        ("/api/v1/events", "GET"),
        ("/api/v1/events/webhook/document-processing", "POST"),
    ],
)
def test_a_refused_method_is_told_what_the_address_does_allow(
    system: System, path: str, allowed: str
) -> None:
    with system.client() as client:
        answer = client.patch(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


def test_the_schemas_are_served(system: System) -> None:
    assert "/api/v1/documents" in system.get("/openapi.json")["paths"]
    assert "stagecast.parse" in json.dumps(system.get("/asyncapi.json"))
    with system.client() as client:
        for path in ("/docs", "/asyncapi", "/"):
            assert client.get(path).headers["content-type"].startswith("text/html")
        assert "stagecast.parse" in client.get("/asyncapi").text  # readable where no script runs
        assert client.get("/api/v1/nothing").json()["status"] == 404
        assert client.put("/api/v1/search").json()["status"] == 405
