"""An operation survives the death of the API that works on it, and is told on the stream."""

import psycopg

from tests.support.system import System, following, until

MANY = 150
PLANT = """
INSERT INTO documents (document_id, filename, file_type, size, sha256, created_at, attempted_at, commanded_at,
  status, status_attempt, updated_at)
SELECT 'planted-' || n, 'planted.txt', 'text/plain', 5, n::text, now(), now(), now(), 'parsing', 1, now()
FROM generate_series(1, %s) n
"""


def test_a_bulk_call_whose_api_is_killed_is_ended_by_the_next_one_and_ends_each_document_once(
    own_system: System,
) -> None:
    own_system.start("api")
    with psycopg.connect(own_system.database_url) as connection:
        connection.execute(PLANT, [MANY])
    with following(own_system) as follower, own_system.client() as client:
        chosen = {"filter": {"name": "PLANTED"}}
        dry = client.post("/api/v1/documents/cancel", json=chosen, params={"dryRun": "true"})
        assert (dry.status_code, dry.json()) == (200, {"matched": MANY})
        answer = client.post("/api/v1/documents/cancel", json=chosen)
        assert (answer.status_code, answer.json()["matched"]) == (202, MANY)
        until(lambda: len(follower.events()) > 5)
        own_system.kill("api")
        own_system.start("api")
        operation_id = answer.json()["operationId"]
        until(lambda: own_system.get(f"/api/v1/operations/{operation_id}")["ended"])
        until(lambda: [data for kind, _, data in follower.frames if kind == "operation" and data["ended"]])
        until(lambda: len(follower.events()) == MANY)
    told = [(data["done"], data["matched"]) for kind, _, data in follower.frames if kind == "operation"]
    assert told[-1] == (MANY, MANY)
    assert told == sorted(told)
    assert {event["metadata"]["code"] for event in follower.events()} == {"cancelled"}
    assert len({event["documentId"] for event in follower.events()}) == MANY


def test_a_filter_that_is_empty_misspelled_or_malformed_is_refused_by_its_field(system: System) -> None:
    wrong = [
        ({"filter": {}}, "body.filter"),
        ({}, "body.filter"),
        ({"filter": {"statuss": ["failed"]}}, "body.filter.statuss"),
        ({"filter": {"code": ["bad_luck"]}}, "body.filter.code.0"),
    ]
    with system.client() as client:
        for body, field in wrong:
            answer = client.post("/api/v1/documents/delete", json=body)
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
        for query in (
            "code=bad_luck",
            "createdAfter=yesterday",
            "sort=color",
            "status=x",
            "name=",
            "cursor=abc",
        ):
            answer = client.get(f"/api/v1/documents?{query}")
            assert answer.status_code == 422
            assert query.partition("=")[0] in answer.json()["errors"][0]["field"]
