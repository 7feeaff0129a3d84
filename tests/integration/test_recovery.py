"""Processes die; documents and events do not."""

import shutil
import signal
from pathlib import Path

import httpx

from contracts import topology
from local.backing.rabbitmq import PrivateBroker
from tests.support.documents import SLOW_HTML, pdf
from tests.support.parser_children import children, cpu_ticks
from tests.support.system import System, following, until
from tests.support.virtual_host import PrivateVirtualHost

STAGES = ["parsing_started", "parsing", "parsed", "embedding", "embedded"]


def long_text(topic: str, paragraphs: int) -> bytes:
    sentences = f"The {topic} is described at length by those who know it well. " * 12
    return "\n\n".join(f"Paragraph {number}. {sentences}" for number in range(paragraphs)).encode()


def assert_whole(system: System, document_id: str) -> None:
    """Every chunk is there once, and all of them are embedded."""
    document = system.document(document_id)
    chunks = system.get(f"/api/v1/documents/{document_id}/chunks?limit=200")["items"]
    assert document["status"] == "embedded"
    assert [chunk["index"] for chunk in chunks] == list(range(document["chunkCount"]))
    assert document["embeddedCount"] == document["chunkCount"]
    hits = system.search("those who know it", limit=100, documentIds=[document_id])
    assert sorted(hit["chunkIndex"] for hit in hits) == list(range(document["chunkCount"]))


def test_a_document_whose_workers_are_killed_midway_is_finished_by_the_next_ones(own_system: System) -> None:
    own_system.modules["embedder"] = "tests.support.fakes.dummy_embedder"
    own_system.start("embedder", "api", "parser")
    with following(own_system) as follower:
        parsing = own_system.accept(
            "report.pdf", pdf(*[long_text(f"page {n}", 1).decode() for n in range(20)])
        )
        until(lambda: "parsing" in follower.statuses(parsing))
        own_system.kill("parser")
        own_system.start("parser")
        until(lambda: "parsed" in follower.statuses(parsing))
        embedding = own_system.accept("book.txt", long_text("sea", 20))
        until(lambda: "embedding" in follower.statuses(embedding))
        own_system.kill("embedder")
        own_system.start("embedder")
        for document_id in (parsing, embedding):
            follower.await_status(document_id, "embedded")
            assert follower.statuses(document_id) == STAGES
    assert_whole(own_system, embedding)
    own_system.kill("embedder")  # by words nobody has to embed a query
    hits = own_system.search("those who know it", mode="words", documentIds=[embedding])
    assert {hit["documentId"] for hit in hits} == {embedding}


def test_a_client_that_was_away_while_the_api_was_killed_misses_nothing(own_system: System) -> None:
    own_system.start("api")
    sent = [f"document-{number}" for number in range(30)]
    with following(own_system) as follower:
        for document_id in sent[:10]:
            assert own_system.notify(documentId=document_id, status="embedded").status_code == 202
        until(lambda: len(follower.events()) == 10)
        own_system.kill("api", signal.SIGKILL)
        own_system.start("api")
        for document_id in sent[10:]:
            assert own_system.notify(documentId=document_id, status="embedded").status_code == 202
        until(lambda: len(follower.events()) == 30)
    assert [event["documentId"] for event in follower.events()] == sent
    until(lambda: [item["documentId"] for item in own_system.get("/api/v1/documents")["items"]] == sent[::-1])


def test_a_client_stays_and_misses_nothing_while_the_broker_is_killed(
    own_system: System, private_broker: PrivateVirtualHost
) -> None:
    own_system.rabbitmq_url = private_broker.url
    own_system.settings["HEARTBEAT_SECONDS"] = "0.5"
    own_system.start("api")
    with following(own_system) as follower:
        for number in range(10):
            assert own_system.notify(documentId=f"before-{number}", status="embedded").status_code == 202
        until(lambda: len(follower.events()) == 10)
        private_broker.kill()
        beats = len(follower.frames)
        until(lambda: len(follower.frames) > beats + 2)  # heartbeats go on
        refused = own_system.notify(documentId="during", status="embedded")
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) > 0
        private_broker.start()
        until(lambda: own_system.notify(documentId="after", status="embedded").status_code == 202)
        until(lambda: "after" in {event["documentId"] for event in follower.events()})
    seen = [event["documentId"] for event in follower.events()]
    assert [name for name in seen if name.startswith("before")] == [
        f"before-{number}" for number in range(10)
    ]
    assert follower.connections == 1


def test_queues_that_are_gone_one_by_one_or_with_their_broker_are_made_again_and_work_goes_on(
    own_system: System, tmp_path: Path
) -> None:
    broker = PrivateBroker(tmp_path)
    broker.start()
    own_system.rabbitmq_url = broker.url
    own_system.modules["embedder"] = "tests.support.fakes.dummy_embedder"
    try:
        own_system.start("embedder", "api", "parser")
        until(lambda: _delete_queues(broker))
        assert _is_taken_to_its_end(own_system, "the first one")
        broker.kill()
        shutil.rmtree(tmp_path / "mnesia")
        broker.start()
        assert _is_taken_to_its_end(own_system, "the second one")
    finally:
        broker.kill()


def _delete_queues(broker: PrivateBroker) -> bool:
    """As somebody might in the management UI."""
    with httpx.Client(base_url=broker.management_url, auth=("guest", "guest"), trust_env=False) as client:
        answers = [client.delete(f"api/queues/%2F/{queue.name}") for queue in topology.queues()]
    return all(answer.status_code == 204 for answer in answers)


def _is_taken_to_its_end(system: System, text: str) -> bool:
    """Upload a text until it is accepted; it is embedded, and found."""
    answers: list[httpx.Response] = []

    def accepted() -> bool:
        answers.append(system.upload(f"{text}.txt", text.encode()))
        return answers[-1].status_code in {200, 202}

    until(accepted)
    document_id = answers[-1].json()["documentId"]
    until(lambda: system.document(document_id)["status"] == "embedded")
    return bool(system.search(text, documentIds=[document_id]))


def test_a_document_that_is_deleted_while_it_is_parsed_costs_no_more_time_and_leaves_nothing_behind(
    system: System,
) -> None:
    parser = system.processes["parser"].pid
    idle = {child: cpu_ticks(child) for child in children(parser)}
    document_id = system.accept("deep.html", SLOW_HTML)
    until(lambda: [child for child in children(parser) & idle.keys() if cpu_ticks(child) > idle[child] + 20])
    with system.client() as client:
        assert client.delete(f"/api/v1/documents/{document_id}").status_code == 204
    until(lambda: idle.keys() - children(parser), within=2)  # half a second, on a machine that has time
    last = system.accept("next.txt", b"The next document, for which a child is ready.")
    assert system.finished(last)["status"] == "embedded"
    until(lambda: len(children(parser)) == len(idle))
    assert document_id not in {path.name for path in (system.directory / "objects" / "documents").iterdir()}


def test_a_document_that_is_deleted_while_it_is_embedded_leaves_nothing_behind(system: System) -> None:
    with following(system) as follower:
        document_id = system.accept("gone.txt", long_text("tide", 40))
        until(lambda: "embedding" in follower.statuses(document_id))
        with system.client() as client:
            assert client.delete(f"/api/v1/documents/{document_id}").status_code == 204
        until(lambda: any(kind == "document_deleted" for kind, _, _ in follower.frames))
        last = system.accept("last.txt", b"One more document, to see that work goes on.")
        follower.await_status(last, "embedded")
    kinds = [kind for kind, _, data in follower.frames if data.get("documentId") == document_id]
    assert kinds[-1] == "document_deleted"
    assert not system.search("tide", documentIds=[document_id])
    kept = {path.name for path in (system.directory / "objects" / "documents").iterdir()}
    assert last in kept
    assert document_id not in kept
