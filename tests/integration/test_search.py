"""Search on the real model and the real index."""

import json

from tests.support.documents import pdf
from tests.support.system import System

NOISE = "The committee met again and the minutes of the last meeting were read and approved by all. "


def test_a_quoted_sentence_finds_its_chunk_first_however_little_it_says_of_the_text_around_it(
    system: System,
) -> None:
    quoted = "Their flights remind us of the dropping of leaves from the trees"
    document_id = system.accept("siege.txt", f"{NOISE * 4}{quoted} around our camp. {NOISE * 4}".encode())
    system.accept(
        "trees.txt", b"Leaves drop from trees in autumn, and birds in flight remind people of leaves."
    )
    for name in (document_id,):
        system.finished(name)
    hits = system.search(f"{quoted}.", limit=10)
    best = hits[0]
    assert (best["documentId"], best["score"]) == (document_id, 1)
    assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)
    assert quoted in best["text"].replace("\n", " ")


def test_what_was_found_is_best_first_and_no_more_than_was_asked_for(system: System) -> None:
    document_id = system.accept(
        "tides.pdf", pdf(*[f"Tide table {n}: high water at {n} o'clock." for n in range(9)])
    )
    system.finished(document_id)
    hits = system.search("high water", limit=5)
    assert 0 < len(hits) <= 5
    assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)
    assert hits[0].keys() >= {"documentId", "filename", "chunkIndex", "text", "pageStart", "pageEnd", "score"}


def test_a_search_can_be_kept_to_some_documents(system: System) -> None:
    wanted = system.accept("a.txt", b"A cooper makes barrels out of staves of oak.")
    other = system.accept("b.txt", b"A cooper makes casks, and a wheelwright makes wheels of oak.")
    for document_id in (wanted, other):
        system.finished(document_id)
    assert {hit["documentId"] for hit in system.search("cooper", documentIds=[other])} == {other}
    assert {wanted, other} <= {hit["documentId"] for hit in system.search("cooper and barrels of oak")}


def test_a_search_for_what_no_text_can_hold_is_answered(system: System) -> None:
    with system.client() as client:
        answer = client.post("/api/v1/search", json={"query": "nul \x00 and \u2028 and ' OR 1=1 --"})
        assert answer.status_code == 200
        for wrong in ({"query": " "}, {"query": "x", "limit": 101}, {"query": "x" * 10_001}, {}):
            assert client.post("/api/v1/search", json=wrong).status_code == 422


def test_searches_leave_nothing_to_worry_about_in_any_log(system: System) -> None:
    before = {name: len(system.log(name)) for name in system.processes}
    for number in range(20):
        system.search(f"what calms bees, for the {number}th time?")
    for name, start in before.items():
        lines = [json.loads(line) for line in system.log(name)[start:].splitlines()]
        assert [line for line in lines if line["level"] not in {"debug", "info"}] == []
