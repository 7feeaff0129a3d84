"""What the API says of itself in OpenAPI, held against what it answers to requests made from that."""

from typing import Any

import pytest
import schemathesis
from hypothesis import given
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from tests.fuzz.examples import FUZZ
from tests.support.system import System

Operation = schemathesis.APIOperation[Any, Any, Any, Any]

ENDLESS = "/api/v1/events"
"""The stream, which would be read for ever; ``test_doors`` asks it with nonsense."""
ROUTES = [
    "DELETE /api/v1/session",
    "DELETE /api/v1/documents/{document_id}",
    "GET /api/v1/dead-letters",
    "GET /api/v1/documents",
    "GET /api/v1/documents/{document_id}",
    "GET /api/v1/documents/{document_id}/chunks",
    "GET /api/v1/documents/{document_id}/content",
    "GET /api/v1/documents/{document_id}/events",
    "GET /api/v1/operations/{operation_id}",
    "GET /api/v1/pipeline",
    "POST /api/v1/dead-letters/{dead_letter_id}/redrive",
    "POST /api/v1/documents",
    "POST /api/v1/documents/cancel",
    "POST /api/v1/documents/delete",
    "POST /api/v1/documents/retry",
    "POST /api/v1/documents/{document_id}/cancel",
    "POST /api/v1/documents/{document_id}/retry",
    "POST /api/v1/events/tickets",
    "POST /api/v1/events/webhook/document-processing",
    "POST /api/v1/search",
    "POST /api/v1/session",
]


@pytest.fixture(scope="module")
def operations(system: System) -> dict[str, Operation]:
    schema = schemathesis.openapi.from_url(f"{system.url}/openapi.json")
    found = {}
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result
        found[result.ok().label] = result.ok()
    return found


def test_every_route_is_known_here(operations: dict[str, Operation]) -> None:
    assert sorted(set(operations) - {f"GET {ENDLESS}"}) == sorted(ROUTES)


@pytest.mark.parametrize("route", ROUTES)
def test_a_route_answers_as_its_schema_says(
    route: str, operations: dict[str, Operation], system: System
) -> None:
    @FUZZ
    @given(operations[route].as_strategy())
    def ask(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(
            headers={"X-Webhook-Key": system.api_key},
            checks=[not_a_server_error, content_type_conformance, response_schema_conformance],
            timeout=30,
        )

    ask()
