"""How much is before a document, and how long it still takes, as the list and the document itself tell it."""

import secrets

import psycopg

from tests.support.documents import pdf
from tests.support.system import System, until


def note_paces(system: System, **paces: float) -> None:
    with psycopg.connect(system.database_url) as connection:
        for name, value in paces.items():
            connection.execute("INSERT INTO paces (name, value) VALUES (%s, %s)", (name, value))


def test_a_document_that_waits_tells_what_is_before_it_and_how_long_that_takes(own_system: System) -> None:
    own_system.start("api")
    note_paces(own_system, pages=2.0, chunks=10.0, chunks_per_page=5.0)
    documents = [own_system.accept(f"{n}.txt", f"Text {n} {secrets.token_hex(4)}".encode()) for n in range(3)]

    until(lambda: own_system.document(documents[2])["ahead"] == 2)
    shown = {one["documentId"]: one for one in own_system.get("/api/v1/documents")["items"]}
    assert [shown[one]["ahead"] for one in documents] == [0, 1, 2]
    # Three pages of five chunks each, ten of which are embedded in a second.
    assert shown[documents[2]]["secondsLeft"] == 1.5

    own_system.start("parser")
    until(lambda: all(own_system.document(one)["status"] == "parsed" for one in documents))
    until(lambda: own_system.document(documents[2])["ahead"] == 2)
    assert own_system.document(documents[2])["secondsLeft"] == 0.3


def test_the_paces_are_measured_and_progress_tells_the_time_left(own_system: System) -> None:
    own_system.settings["EMBED_BATCH_CHUNKS"] = "4"
    own_system.start("api", "parser", "embedder")
    pages = [f"Page {n} of {secrets.token_hex(4)} tells of many things. " * 30 for n in range(40)]
    document = own_system.accept("large.pdf", pdf(*pages))
    own_system.finished(document)

    def noted() -> dict[str, float]:
        with psycopg.connect(own_system.database_url) as connection:
            return dict(connection.execute("SELECT name, value FROM paces").fetchall())

    until(lambda: set(noted()) >= {"chunks", "chunks_per_page"})
    assert noted()["chunks"] > 0
    end = own_system.document(document)
    assert (end["secondsLeft"], end["ahead"]) == (None, None)
