"""A document that is cancelled ends once, stops costing time, leaves nothing behind and can be retried."""

from collections.abc import Iterator

import psycopg
import pytest
from httpx import Response
from psycopg import sql

from tests.integration.test_recovery import long_text
from tests.support.documents import SLOW_HTML
from tests.support.guarded import Guarded, bearer
from tests.support.parser_children import children, cpu_ticks
from tests.support.system import System, following, until


def post(system: System, path: str) -> Response:
    with system.client() as client:
        return client.post(path)


def cancel(system: System, document_id: str) -> Response:
    return post(system, f"/api/v1/documents/{document_id}/cancel")


def tables_with_rows(system: System, document_id: str) -> int:
    """The number of tables in which stages have stored something for a document."""
    tables = ("attempts", "chunks", "passages", "embeddings", "embedded_batches")
    count = "SELECT count(*) FROM {} WHERE document_id = %s"
    with psycopg.connect(system.database_url) as connection:
        asked = [sql.SQL(count).format(sql.Identifier(table)) for table in tables]
        return sum(connection.execute(one, [document_id]).fetchone() != (0,) for one in asked)


@pytest.fixture
def slow_document(system: System) -> Iterator[str]:
    """A document that a parser's child has been reading for a while."""
    parser = system.processes["parser"].pid
    idle = {child: cpu_ticks(child) for child in children(parser)}
    document_id = system.accept("deep.html", SLOW_HTML + b"<p>to be cancelled")
    until(lambda: [child for child in children(parser) & idle.keys() if cpu_ticks(child) > idle[child] + 20])
    yield document_id
    with system.client() as client:
        client.delete(f"/api/v1/documents/{document_id}")


def test_a_document_that_is_cancelled_while_it_is_parsed_costs_no_more_time_and_can_be_retried(
    system: System, slow_document: str
) -> None:
    parser = system.processes["parser"].pid
    busy = children(parser)
    assert cancel(system, slow_document).status_code == 202
    until(lambda: busy - children(parser), within=2)  # a third of a second, on a machine that has time
    error = system.finished(slow_document)["error"]
    assert (error["code"], error["stage"], error["retryable"]) == ("cancelled", "parsing", True)
    assert cancel(system, slow_document).status_code == 409

    assert post(system, f"/api/v1/documents/{slow_document}/retry").status_code == 202
    assert system.document(slow_document)["attempt"] == 2
    assert cancel(system, slow_document).status_code == 202  # whether or not a parser has it yet
    assert system.finished(slow_document)["error"]["code"] == "cancelled"


def test_a_document_that_is_cancelled_while_it_is_embedded_ends_once_and_leaves_nothing_behind(
    system: System,
) -> None:
    with following(system) as follower:
        document_id = system.accept("cancelled.txt", long_text("ebb", 60))
        until(lambda: "embedding" in follower.statuses(document_id))
        assert cancel(system, document_id).status_code == 202
        follower.await_status(document_id, "failed")
        last = system.accept("after.txt", b"One more document, behind the commands of the cancelled one.")
        follower.await_status(last, "embedded")
    assert follower.statuses(document_id)[-1] == "failed"
    assert system.document(document_id)["error"]["stage"] == "embedding"
    assert tables_with_rows(system, document_id) == 0
    assert not system.search("ebb", documentIds=[document_id])

    assert post(system, f"/api/v1/documents/{document_id}/retry").status_code == 202
    assert system.finished(document_id)["status"] == "embedded"
    assert cancel(system, document_id).status_code == 409


def test_a_document_of_another_owner_can_not_be_cancelled(guarded: Guarded) -> None:
    document_id = guarded.owned("bob", "bobs-running-document")
    with guarded.client() as client:
        path = f"/api/v1/documents/{document_id}/cancel"
        assert client.post(path, headers=bearer("alice")).status_code == 404
        assert client.post(path, headers=bearer("bob")).status_code == 202
        assert client.post(path, headers=bearer("bob")).status_code == 409
