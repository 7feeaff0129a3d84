"""Search on the real model and the real index."""

import json

from tests.support.documents import pdf
from tests.support.system import System

THINGS = tuple(enumerate(("bell", "clock", "archive", "statue of the founder", "treasury")))
NOISE = "The committee met again and the minutes of the last meeting were read and approved by all. "


def test_a_quoted_sentence_finds_its_chunk_first_however_little_it_says_of_the_text_around_it(
    system: System,
) -> None:
    quoted = "Their flights remind us of the dropping of leaves from the trees"
    document_id = system.accept("siege.txt", f"{NOISE * 4}{quoted} around our camp. {NOISE * 4}".encode())
    system.accept(
        "trees.txt", b"Leaves drop from trees in autumn, and birds in flight remind people of leaves."
    )
    # Far from both, so that the two are all but equally near beside them.
    embedded(system, wages="Wages rose by three percent.", engine="The engine is started with a key.")
    system.finished(document_id)
    hits = system.search(f"{quoted}.", limit=10)
    best = hits[0]
    assert best["documentId"] == document_id
    assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)
    assert quoted in best["text"].replace("\n", " ")


REPORT = (
    "The gateway in hall 7 dropped its connections all night, and the log is full of ERR_CONN_RESET. "
    "Whoever restarts it has to wait for the lamp."
)
ORDER = "Please send two gaskets KX-4471-B for the pump in the cellar, and the usual screws with them."
CITY = "東京都に住んでいる田中さんは、毎日電車で会社に通っています。"
LETTER = "Письмо Екатерине Достоевской лежит на столе у окна."


def embedded(system: System, **texts: str) -> dict[str, str]:
    """The ids of documents with these texts, by names, once they are searchable."""
    ids = {name: system.accept(f"{name}.txt", text.encode()) for name, text in texts.items()}
    for document_id in ids.values():
        system.finished(document_id)
    return ids


def first(system: System, query: str, **wishes: object) -> str:
    best: str = system.search(query, **wishes)[0]["documentId"]
    return best


def test_an_identifier_and_a_name_in_another_script_find_their_document_first(system: System) -> None:
    ids = embedded(system, report=REPORT, order=ORDER, city=CITY, letter=LETTER)
    embedded(
        system,
        resets="Connections are reset when an error occurs, and the error code tells which connection it was.",
        parts="Spare parts such as KX-4472-B, KX-4471-C and gaskets of all kinds are kept in the store.",
        tokyo="Tokyo is the capital of Japan; Mr. Tanaka lives there and goes to work by train.",
    )
    for query, name in (
        ("ERR_CONN_RESET", "report"),
        ("err_conn_reset", "report"),
        ("KX-4471-B", "order"),
        ("kx4471b", "order"),
        ("田中", "city"),
        ("東京都", "city"),
        ("Достоевская", "letter"),
    ):
        for mode in ("hybrid", "words"):
            assert first(system, query, mode=mode) == ids[name], (query, mode)
    (hit,) = system.search("kx-4471-b", mode="words", documentIds=[ids["order"]])
    assert [hit["text"][start:end] for start, end in hit["highlights"]] == ["KX-4471-B"]
    languages = [system.document(ids[name])["language"] for name in ("report", "city", "letter")]
    assert languages == ["en", "ja", "ru"]


def test_each_mode_tells_what_it_goes_by(system: System) -> None:
    ids = embedded(system, smoke="Keepers calm their bees with cool smoke 🐝 before the hive is opened.")
    asked = {"query": "calming a bee", "documentIds": [*ids.values()]}
    answers = {}
    for mode in ("hybrid", "semantic", "words"):
        with system.client() as client:
            answer = client.post("/api/v1/search", json={**asked, "mode": mode})
        answers[mode] = answer.json()
        assert answers[mode]["mode"] == mode
        assert answers[mode]["items"][0]["filename"] == "smoke.txt"
    hybrid, semantic, words = (answers[mode]["items"][0] for mode in ("hybrid", "semantic", "words"))
    assert (answers["hybrid"]["model"], answers["words"]["model"]) == (answers["semantic"]["model"], None)
    assert (semantic["words"], words["cosine"]) == (None, None)
    assert semantic["score"] == semantic["cosine"] == hybrid["cosine"]
    assert words["words"] == hybrid["words"] > 0
    assert words["score"] == 1
    assert [hybrid["text"][start:end] for start, end in hybrid["highlights"]] == ["calm", "bees"]
    with system.client() as client:
        default = client.post("/api/v1/search", json=asked).json()
        assert default == answers["hybrid"]
        for wrong in ({"mode": "magic"}, {"minCosine": 1.5}, {"minCosine": "near"}):
            assert client.post("/api/v1/search", json={"query": "x", **wrong}).status_code == 422


def test_what_is_near_to_nothing_is_left_out_unless_it_has_a_word(system: System) -> None:
    ids = embedded(
        system,
        river="The Danube rises in the Black Forest and flows to the sea.",
        flour="Rye flour is ground in the old mill.",
    )
    wanted = {"documentIds": list(ids.values()), "minCosine": 0.95}
    assert [hit["documentId"] for hit in system.search("rye bread", **wanted)] == [ids["flour"]]
    assert system.search("rye bread", mode="semantic", **wanted) == []
    assert system.search("zyzzyva", **wanted) == []
    assert len(system.search("zyzzyva", documentIds=list(ids.values()))) == 2


def test_a_deleted_document_is_found_by_no_word(system: System) -> None:
    ids = embedded(system, gone="A flugelhorn for sale.", stays="A flugelhorn, hardly played.")
    assert len(system.search("flugelhorn", mode="words")) == 2
    with system.client() as client:
        assert client.delete(f"/api/v1/documents/{ids['gone']}").status_code == 204
    assert [hit["documentId"] for hit in system.search("flugelhorn", mode="words")] == [ids["stays"]]


def test_a_sentence_out_of_a_pdf_finds_its_document_first(system: System) -> None:
    others = [*(NOISE * 3 for _ in range(9)), "The town hall has a bell."]
    told = [f"{NOISE}In the year {1700 + n} the {thing} was moved to the town hall." for n, thing in THINGS]
    wanted = system.accept("chronicle.pdf", pdf(*told, title="Chronicle"))
    other = system.accept("minutes.pdf", pdf(*others, title="Minutes"))
    for document_id in (wanted, other):
        system.finished(document_id)
    for n, thing in THINGS:
        assert first(system, f"In the year {1700 + n} the {thing} was moved to the town hall.") == wanted


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
