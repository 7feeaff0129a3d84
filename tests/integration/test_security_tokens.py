"""Attacks on who may: forged tokens, other owners, tickets, cookies, other origins."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import takewhile
from typing import Any

import httpx
import psycopg
import pytest
from httpx_sse import EventSource, ServerSentEvent

from contracts.commands import QueryEmbedding
from services.api.access.caller import Caller
from services.api.search.search import SearchRequest, search
from services.runtime.database.engine import create_engine
from tests.support.guarded import SECRET, Guarded, bearer, token

DOCUMENTS = "/api/v1/documents"
EVENTS = "/api/v1/events"


def encoded(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def forged(header: dict[str, Any], claims: dict[str, Any], secret: bytes = b"") -> str:
    signed = f"{encoded(header)}.{encoded(claims)}"
    signature = hmac.new(secret, signed.encode(), hashlib.sha256).digest() if secret else b""
    return f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


CLAIMS = {"sub": "alice", "aud": "stagecast", "exp": int(time.time()) + 3600, "scope": "admin"}
FORGERIES = {
    "without algorithm": forged({"alg": "none"}, CLAIMS),
    "algorithm in other letters": forged({"alg": "NoNe"}, CLAIMS),
    "empty secret": forged({"alg": "HS256"}, CLAIMS, b"\0"),
    "guessed secret": token(secret="guessed-secret-0123456789abcdefgh"),
    "other algorithm, right secret": token(secret=SECRET * 2, algorithm="HS512"),
    "right secret, header says RS256": forged({"alg": "RS256", "kid": "1"}, CLAIMS, SECRET.encode()),
    "key id that is a path": forged({"alg": "HS256", "kid": "../../dev/null"}, CLAIMS, b"\0"),
    "key id that is SQL": forged({"alg": "HS256", "kid": "x' UNION SELECT 'a"}, CLAIMS, b"a"),
    "key brought along": forged({"alg": "HS256", "jwk": {"kty": "oct", "k": "YQ"}}, CLAIMS, b"a"),
    "key from elsewhere": forged({"alg": "HS256", "jku": "http://127.0.0.1:1/"}, CLAIMS, b"a"),
    "unknown critical header": forged({"alg": "HS256", "crit": ["x"], "x": 1}, CLAIMS, SECRET.encode()),
    "expired": token(exp=int(time.time()) - 60),
    "not yet valid": token(nbf=int(time.time()) + 3600),
    "other audience": token(aud="another-service"),
    "no audience": token(aud=None),
    "no subject": token(sub=None),
    "subject that is empty": token(sub=""),
    "subject that is a number": forged({"alg": "HS256"}, {**CLAIMS, "sub": 1}, SECRET.encode()),
    "no expiry": token(exp=None),
    "expiry that is a word": forged({"alg": "HS256"}, {**CLAIMS, "exp": "never"}, SECRET.encode()),
    "expiry beyond all time": forged({"alg": "HS256"}, {**CLAIMS, "exp": 1e300}, SECRET.encode()),
    "no token": "x",
    "very long": "a" * 7000,
    "nested without end": forged({"alg": "HS256"}, {"sub": []}, SECRET.encode()),
}


@contextmanager
def stream(client: httpx.Client, **params: str) -> Iterator[Iterator[ServerSentEvent]]:
    with client.stream("GET", EVENTS, params=params) as response:
        assert response.status_code == 200, response.read()
        yield (event for event in EventSource(response).iter_sse() if event.data)


def ticket_of(client: httpx.Client) -> str:
    answer = client.post(f"{EVENTS}/tickets")
    assert answer.status_code == 200, answer.text
    assert answer.json()["expiresIn"] == 60
    ticket: str = answer.json()["ticket"]
    return ticket


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_token_is_refused(guarded: Guarded, forgery: str) -> None:
    with guarded.client(Authorization=f"Bearer {FORGERIES[forgery]}") as client:
        answer = client.get(DOCUMENTS)

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["detail"] == "A valid token is needed."


def test_all_refusals_of_tokens_read_the_same(guarded: Guarded) -> None:
    with guarded.client() as client:
        bodies = {
            client.get(DOCUMENTS, headers={"Authorization": f"Bearer {forgery}"}).text
            for forgery in FORGERIES.values()
        }

    assert len(bodies) == 1


@pytest.mark.parametrize("name", ["token", "access_token", "stagecast_token", "jwt", "ticket"])
def test_a_token_in_the_url_is_refused(guarded: Guarded, name: str) -> None:
    with guarded.client() as client:
        assert client.get(EVENTS, params={name: token()}).status_code == 401
        assert client.get(DOCUMENTS, params={name: token()}).status_code == 401


def test_a_token_a_moment_past_its_end_is_accepted_within_the_leeway(guarded: Guarded) -> None:
    with guarded.client(**bearer(exp=int(time.time()))) as client:
        assert client.get(DOCUMENTS).status_code == 200


def test_a_wrong_header_is_not_made_up_for_by_a_good_cookie(guarded: Guarded) -> None:
    with guarded.client(Authorization="Bearer x", Cookie=f"stagecast_token={token()}") as client:
        assert client.get(DOCUMENTS).status_code == 401


def test_basic_credentials_are_refused(guarded: Guarded) -> None:
    with guarded.client(Authorization=f"Basic {token()}") as client:
        assert client.get(DOCUMENTS).status_code == 401


def test_every_route_but_the_webhook_asks_for_a_token(guarded: Guarded) -> None:
    with guarded.client() as client:
        paths = client.get("/openapi.json").json()["paths"]
        asked = [
            (method, path, client.request(method, path.replace("{", "").replace("}", "")).status_code)
            for path, methods in paths.items()
            for method in methods
            if path.startswith("/api/v1") and "webhook" not in path and not path.endswith("/session")
        ]

    assert len(asked) >= 9
    assert [call for call in asked if call[2] != 401] == []


ROUTES = [
    ("GET", ""),
    ("GET", "/chunks"),
    ("POST", "/retry"),
    ("DELETE", ""),
]


@pytest.mark.parametrize(("method", "suffix"), ROUTES)
def test_another_owners_document_is_not_there(guarded: Guarded, method: str, suffix: str) -> None:
    theirs = guarded.owned("bob", f"bobs-{method}{suffix.replace('/', '-')}", "embedded")
    with guarded.client(**bearer("alice")) as client:
        refused = client.request(method, f"{DOCUMENTS}/{theirs}{suffix}")
        missing = client.request(method, f"{DOCUMENTS}/never-was{suffix}")
    with guarded.client(**bearer("bob")) as client:
        assert client.get(f"{DOCUMENTS}/{theirs}").status_code == 200, "untouched"

    assert (refused.status_code, missing.status_code) == (404, 404)
    assert refused.json() == missing.json()


def test_a_list_shows_ones_own_documents_and_those_of_nobody(guarded: Guarded) -> None:
    (
        guarded.owned("carol", "list-carols"),
        guarded.owned("dave", "list-daves"),
        guarded.owned(None, "list-nobodys"),
    )
    with guarded.client(**bearer("carol")) as client:
        seen = {item["documentId"] for item in client.get(DOCUMENTS, params={"limit": 200}).json()["items"]}
    with guarded.client(**bearer("root", scope="read admin")) as client:
        all_of_them = {
            item["documentId"] for item in client.get(DOCUMENTS, params={"limit": 200}).json()["items"]
        }

    assert {"list-carols", "list-nobodys"} <= seen
    assert "list-daves" not in seen
    assert {"list-carols", "list-daves", "list-nobodys"} <= all_of_them


@pytest.mark.parametrize("scope", ["administrator", "admin:read", "ADMIN", {"admin": True}, 1])
def test_only_the_word_admin_makes_an_administrator(guarded: Guarded, scope: object) -> None:
    theirs = guarded.owned("bob", f"scope-{hash(str(scope))}")
    with guarded.client(**bearer("mallory", scope=scope)) as client:
        assert client.get(f"{DOCUMENTS}/{theirs}").status_code == 404


def test_dead_letters_are_for_administrators(guarded: Guarded) -> None:
    with guarded.client(**bearer("alice")) as client:
        assert client.get("/api/v1/dead-letters").status_code == 403
        assert client.post("/api/v1/dead-letters/x/redrive").status_code == 403
    with guarded.client(**bearer("root", scope="admin")) as client:
        assert client.get("/api/v1/dead-letters").status_code == 200


def test_search_finds_nothing_of_others_even_when_asked_for_it_by_id(guarded: Guarded) -> None:
    for owner in ("sam", "tom"):
        plant_chunk(guarded, guarded.owned(owner, f"search-{owner}s", "embedded"))

    async def found(caller: Caller, *ids: str) -> list[str]:
        engine = create_engine(guarded.system.database_url)
        try:
            wanted = SearchRequest(query="x", limit=100, document_ids=list(ids) or None)
            result = await search(engine, caller, wanted, QueryEmbedding(model="planted", vector=[1.0, 0.0]))
        finally:
            await engine.dispose()
        return sorted(hit.document_id for hit in result.items)

    sam = Caller("sam", sees_all=False)
    assert asyncio.run(found(sam)) == ["search-sams"]
    assert asyncio.run(found(sam, "search-toms")) == []
    assert asyncio.run(found(Caller("root", sees_all=True))) == ["search-sams", "search-toms"]


def plant_chunk(guarded: Guarded, document_id: str) -> None:
    statements = (
        (
            "INSERT INTO attempts"
            " (document_id, attempt, chunk_count, token_count, batch_chunks, batches, started_at)"
            " VALUES (%(id)s, 1, 1, 1, 1, 1, now())"
        ),
        "INSERT INTO chunks (document_id, attempt, index, text, token_count) VALUES (%(id)s, 1, 0, 'x', 1)",
        (
            "INSERT INTO embeddings (document_id, attempt, index, model, embedding)"
            " VALUES (%(id)s, 1, 0, 'planted', '[1,0]')"
        ),
        "UPDATE documents SET visible_attempt = 1 WHERE document_id = %(id)s",
    )
    with psycopg.connect(guarded.system.database_url) as connection:
        for statement in statements:
            connection.execute(statement, {"id": document_id})


def test_the_stream_shows_nothing_of_others_live_or_replayed(guarded: Guarded) -> None:
    with guarded.client(**bearer("erin")) as erin, guarded.client(**bearer("frank")) as frank:
        with stream(erin) as events:
            start = json.loads(next(events).data)["position"]
            guarded.notify(documentId="tail-frank", status="parsing", ownerId="frank")
            guarded.notify(documentId="tail-erin", status="parsing", ownerId="erin")
            first = next(event for event in events if event.event == "document_processing")
        assert json.loads(first.data)["documentId"] == "tail-erin"
        with stream(frank, lastEventId=start) as events:
            first = next(event for event in events if event.event == "document_processing")
        assert json.loads(first.data)["documentId"] == "tail-frank"
        with stream(erin, lastEventId=start, status="parsed") as events:
            assert next(events).event == "connected"
            guarded.notify(documentId="tail-frank", status="parsed", ownerId="frank")
            guarded.notify(documentId="tail-frank", status="parsed", ownerId="erin", eventId="stolen")
            guarded.notify(documentId="tail-erin", status="parsed", ownerId="erin")
            first = next(event for event in events if event.event == "document_processing")
        assert json.loads(first.data)["documentId"] == "tail-erin", "an event of frank's came before it"


def test_a_snapshot_shows_nothing_of_others(guarded: Guarded) -> None:
    guarded.notify(documentId="snap-grace", status="parsing", ownerId="grace")
    guarded.notify(documentId="snap-heidi", status="parsing", ownerId="heidi")
    with guarded.client(**bearer("heidi")) as client:
        deadline = time.monotonic() + 10
        while client.get(f"{DOCUMENTS}/snap-heidi").status_code == 404 and time.monotonic() < deadline:
            time.sleep(0.02)
        with stream(client, snapshot="true") as events:
            assert next(events).event == "connected"
            guarded.notify(documentId="snap-mark", status="parsing", ownerId="heidi")
            told = (json.loads(event.data) for event in events)
            shown = list(takewhile(lambda event: event.get("documentId") != "snap-mark", told))

    assert "snap-heidi" in [event.get("documentId") for event in shown]
    assert {event.get("ownerId") for event in shown} <= {"heidi", None}


def test_a_ticket_opens_one_stream_at_any_replica(guarded: Guarded) -> None:
    with guarded.client(**bearer("ivan")) as client:
        ticket = ticket_of(client)
    with guarded.client("api-2") as replica:
        with stream(replica, ticket=ticket) as events:
            assert next(events).event == "connected"
            guarded.notify(documentId="ticket-bob", status="parsing", ownerId="bob")
            guarded.notify(documentId="ticket-ivan", status="parsing", ownerId="ivan")
            first = next(event for event in events if event.event == "document_processing")
        assert json.loads(first.data)["documentId"] == "ticket-ivan"
        assert replica.get(EVENTS, params={"ticket": ticket}).status_code == 401
    with guarded.client() as client:
        assert client.get(EVENTS, params={"ticket": ticket}).status_code == 401


def test_of_many_who_bring_the_same_ticket_one_gets_in(guarded: Guarded) -> None:
    with guarded.client(**bearer("judy")) as client:
        ticket = ticket_of(client)

    def use(_: int) -> int:
        with guarded.client() as client, client.stream("GET", EVENTS, params={"ticket": ticket}) as answer:
            return answer.status_code

    with ThreadPoolExecutor(8) as pool:
        answers = sorted(pool.map(use, range(8)))

    assert answers == [200] + [401] * 7


@pytest.mark.parametrize("ticket", ["", "x", "A" * 43, "A" * 5000, "%00", "' OR 1=1 --"])
def test_a_guessed_ticket_is_refused(guarded: Guarded, ticket: str) -> None:
    with guarded.client() as client:
        assert client.get(EVENTS, params={"ticket": ticket}).status_code == 401


def test_a_ticket_is_good_for_the_stream_alone(guarded: Guarded) -> None:
    with guarded.client(**bearer("kim")) as client:
        ticket = ticket_of(client)
    with guarded.client() as client:
        assert client.get(DOCUMENTS, params={"ticket": ticket}).status_code == 401
        assert client.post(f"{EVENTS}/tickets", params={"ticket": ticket}).status_code == 401


def test_a_ticket_is_refused_after_its_minute(guarded: Guarded) -> None:
    with guarded.client(**bearer("leo")) as client:
        ticket = ticket_of(client)
        with psycopg.connect(guarded.system.database_url) as connection:
            rows = connection.execute("SELECT * FROM tickets WHERE owner_id = 'leo'").fetchall()
            connection.execute("UPDATE tickets SET expires_at = now() WHERE owner_id = 'leo'")
        assert ticket not in str(rows), "kept as a hash"
        assert client.get(EVENTS, params={"ticket": ticket}, headers={"Authorization": ""}).status_code == 401


def test_a_stream_ends_with_its_token(guarded: Guarded) -> None:
    ends = int(time.time()) + 1  # and the leeway of 2 seconds
    with guarded.client(**bearer("mia", exp=ends)) as client, stream(client) as events:
        last = list(events)[-1]

    assert (last.event, json.loads(last.data)) == ("reconnect", {"reason": "auth"})


def test_a_stream_opened_by_ticket_ends_with_the_token_that_it_came_from(guarded: Guarded) -> None:
    ends = int(time.time()) + 1
    with guarded.client(**bearer("nina", exp=ends)) as client:
        ticket = ticket_of(client)
    with guarded.client() as client, stream(client, ticket=ticket) as events:
        last = list(events)[-1]

    assert (last.event, json.loads(last.data)) == ("reconnect", {"reason": "auth"})


def test_the_cookie_is_set_where_no_script_and_no_other_site_gets_at_it(guarded: Guarded) -> None:
    with guarded.client() as client:
        answer = client.post("/api/v1/session", json={"token": token("olga")})
        refused = client.post("/api/v1/session", json={"token": "x"})
        signed_out = client.delete("/api/v1/session")
    cookie = answer.headers["set-cookie"]

    assert answer.status_code == 204
    assert all(
        part in cookie for part in ("stagecast_token=", "HttpOnly", "Secure", "SameSite=strict", "Max-Age=")
    )
    assert refused.status_code == 401
    assert "set-cookie" not in refused.headers
    assert "Max-Age=0" in signed_out.headers["set-cookie"]


def test_the_cookie_opens_the_stream(guarded: Guarded) -> None:
    with guarded.client(Cookie=f"stagecast_token={token('pat')}") as client, stream(client) as events:
        assert next(events).event == "connected"


OTHERS = [
    {},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
    {"Origin": "https://app.example.org.evil.example"},
]


@pytest.mark.parametrize("headers", OTHERS)
def test_another_site_changes_nothing_with_the_users_cookie(
    guarded: Guarded, headers: dict[str, str]
) -> None:
    mine = guarded.owned("quinn", f"csrf-{OTHERS.index(headers)}", "embedded")
    with guarded.client(Cookie=f"stagecast_token={token('quinn')}", **headers) as client:
        answers = {
            client.delete(f"{DOCUMENTS}/{mine}").status_code,
            client.post(f"{DOCUMENTS}/{mine}/retry").status_code,
            client.post(DOCUMENTS, files={"file": ("a.txt", b"text")}).status_code,
            client.post(f"{EVENTS}/tickets").status_code,
        }

    assert answers == {403}


def test_our_own_page_and_the_named_origin_may_use_the_cookie(guarded: Guarded) -> None:
    with guarded.client(Cookie=f"stagecast_token={token('ruth')}") as client:
        own = client.post(f"{EVENTS}/tickets", headers={"Sec-Fetch-Site": "same-origin"})
        old_browser = client.post(f"{EVENTS}/tickets", headers={"Origin": str(client.base_url)})
        named = client.post(
            f"{EVENTS}/tickets",
            headers={"Origin": "https://app.example.org", "Sec-Fetch-Site": "cross-site"},
        )

    assert (own.status_code, old_browser.status_code, named.status_code) == (200, 200, 200)
    assert named.headers["access-control-allow-origin"] == "https://app.example.org"
    assert named.headers["access-control-allow-credentials"] == "true"


def test_a_preflight_names_the_origin_and_last_event_id(guarded: Guarded) -> None:
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "last-event-id"}
    with guarded.client() as client:
        ours = client.options(EVENTS, headers={"Origin": "https://app.example.org", **asked})
        foreign = client.options(EVENTS, headers={"Origin": "https://evil.example", **asked})

    assert ours.status_code == 200
    assert "last-event-id" in ours.headers["access-control-allow-headers"].lower()
    assert foreign.status_code == 400
    assert "access-control-allow-origin" not in foreign.headers
