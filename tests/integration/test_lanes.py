"""Lanes and turns in the real system."""

from tests.support.system import System


def test_what_is_uploaded_as_bulk_says_so_and_is_processed_by_its_own_queues(system: System) -> None:
    answer = system.upload("bulk.txt", b"A badger digs its sett in chalk.", priority="bulk")
    assert (answer.status_code, answer.json()["priority"]) == (202, "bulk")
    document = system.finished(answer.json()["documentId"])
    assert (document["status"], document["priority"]) == ("embedded", "bulk")
    assert system.upload("bulk.txt", b"Another badger.", priority="urgent").status_code == 422
    again = system.upload("bulk.txt", b"A badger digs its sett in chalk.", priority="normal", force="true")
    assert (again.status_code, again.json()["priority"]) == (202, "normal")
    assert system.finished(document["documentId"])["attempt"] == 2


def test_an_owners_documents_beyond_the_window_take_their_turn_when_earlier_ones_end(system: System) -> None:
    uploaded = [system.accept(f"vole-{n}.txt", f"Vole number {n} lives here.".encode()) for n in range(9)]
    assert {system.finished(document_id)["status"] for document_id in uploaded} == {"embedded"}
