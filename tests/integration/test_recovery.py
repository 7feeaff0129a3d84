"""Processes die; documents and events do not."""

import signal

from tests.documents import pdf
from tests.system import System, following, until

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
    own_system.start("embedder", "api", "parser")
    with following(own_system) as follower:
        parsing = own_system.accept(
            "report.pdf", pdf(*[long_text(f"page {n}", 1).decode() for n in range(40)])
        )
        until(lambda: "parsing" in follower.statuses(parsing))
        own_system.kill("parser")
        own_system.start("parser")
        until(lambda: "parsed" in follower.statuses(parsing))
        embedding = own_system.accept("book.txt", long_text("sea", 40))
        until(lambda: "embedding" in follower.statuses(embedding))
        own_system.kill("embedder")
        own_system.start("embedder")
        for document_id in (parsing, embedding):
            follower.await_status(document_id, "embedded")
            assert follower.statuses(document_id) == STAGES
    assert_whole(own_system, embedding)


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
    assert [item["documentId"] for item in own_system.get("/api/v1/documents")["items"]] == sent[::-1]


def test_a_document_that_is_deleted_while_it_is_embedded_leaves_nothing_behind(own_system: System) -> None:
    own_system.start("embedder", "api", "parser")
    with following(own_system) as follower:
        document_id = own_system.accept("gone.txt", long_text("tide", 40))
        until(lambda: "embedding" in follower.statuses(document_id))
        with own_system.client() as client:
            assert client.delete(f"/api/v1/documents/{document_id}").status_code == 204
        until(lambda: any(kind == "document_deleted" for kind, _, _ in follower.frames))
        last = own_system.accept("last.txt", b"One more document, to see that work goes on.")
        follower.await_status(last, "embedded")
    kinds = [kind for kind, _, data in follower.frames if data.get("documentId") == document_id]
    assert kinds[-1] == "document_deleted"
    assert not own_system.search("tide", documentIds=[document_id])
    assert [path.name for path in (own_system.directory / "objects" / "documents").iterdir()] == [last]
