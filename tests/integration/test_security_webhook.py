"""Attacks on the webhook: keys, signatures, replays, foreign owners, malformed and oversized bodies."""

import base64
import hashlib
import hmac
import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime

import httpx
import psycopg
import pytest
from standardwebhooks.webhooks import Webhook as Signer

from services.api.access.access_settings import secret_bytes
from services.api.webhook import producers
from stagecast_client import EventStream, Notifier
from tests.support.guarded import KEY, LIMITED_KEY, OLD_KEY, SIGNING_SECRET, WEBHOOK, Guarded, bearer, token

REPORT = {"documentId": "webhook-1", "status": "parsing"}


def signed(
    body: bytes, message_id: str = "msg-1", *, age: float = 0, secret: str | bytes = SIGNING_SECRET
) -> dict[str, str]:
    moment = datetime.fromtimestamp(int(time.time() - age), UTC)
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Signer(secret).sign(message_id, moment, body.decode()),
    }


def send(guarded: Guarded, body: bytes, headers: dict[str, str], name: str = "api") -> httpx.Response:
    with guarded.client(name) as client:
        return client.post(WEBHOOK, content=body, headers=headers)


def events_of(guarded: Guarded, document_id: str) -> list[dict[str, object]]:
    """What the log has of a document, by replaying all of it up to a mark."""
    guarded.notify(documentId="mark", status="parsing", eventId=(mark := f"mark-{time.time_ns()}"))
    with guarded.client(**bearer("root", scope="admin")) as client:
        params = {"lastEventId": "start", "documentId": [document_id, "mark"]}
        with client.stream("GET", "/api/v1/events", params=params) as response:
            found: list[dict[str, object]] = []
            for line in response.iter_lines():
                event = json.loads(line[5:]) if line.startswith("data:") else {}
                if event.get("eventId") == mark:
                    break
                if event.get("documentId") == document_id:
                    found.append(event)
    return found


def test_a_signed_report_is_taken(guarded: Guarded) -> None:
    body = json.dumps({**REPORT, "documentId": "signed"}).encode()

    answer = send(guarded, body, signed(body, "signed"))

    assert (answer.status_code, answer.json()["accepted"]) == (202, True)
    assert [event["source"] for event in events_of(guarded, "signed")] == ["webhook:acme"]


def test_the_python_client_reports_and_follows(guarded: Guarded) -> None:
    url = guarded.system.url
    with (
        EventStream(url, token=lambda: token("root", scope="admin"), document_id="by-client") as events,
        Notifier(url, SIGNING_SECRET, owner_id="alice", raise_errors=True) as notifier,
    ):
        stream = iter(events)
        assert next(stream).kind == "connected"
        event_id = notifier.notify_parsing_completed("by-client", "a.pdf", 3)
        seen = next(event for event in stream if event.kind == "document_processing")

    assert seen.data["eventId"] == event_id
    assert seen.data["metadata"] == {"filename": "a.pdf", "chunkCount": 3}
    assert (seen.data["source"], seen.data["ownerId"]) == ("webhook:acme", "alice")


def test_both_live_keys_are_good_for_key_and_signature(guarded: Guarded) -> None:
    body = json.dumps(REPORT).encode()

    assert [guarded.notify(key, **REPORT).status_code for key in (KEY, OLD_KEY)] == [202, 202]
    by_bytes = send(guarded, body, signed(body, "by-bytes", secret=OLD_KEY.encode()))
    assert by_bytes.status_code == 202


REFUSED_KEYS = [
    "",
    "x",
    KEY[:-1],
    KEY + "x",
    KEY.upper(),
    f"internal={KEY}",
    f"{KEY},{OLD_KEY}",
    "é",
]


@pytest.mark.parametrize("key", REFUSED_KEYS)
def test_a_wrong_key_is_refused_like_every_other(guarded: Guarded, key: str) -> None:
    with guarded.client() as client:
        answer = client.post(WEBHOOK, json=REPORT, headers={b"x-webhook-key": key.encode()})

    assert answer.status_code == 401
    assert answer.json()["detail"] == "The webhook key or signature is missing or wrong."


def test_a_wrong_key_is_refused_before_the_body_is_looked_at(guarded: Guarded) -> None:
    answer = send(guarded, b"{not json", {"x-webhook-key": "wrong", "content-type": "text/plain"})

    assert answer.status_code == 401


MALFORMED = [
    "", "x", "v1", "v1,", "v1,!", "v1,x", "v1,AAAA", "v1,é", ",", "v2,AAAA", "v1a,AAAA", "v1,AAAA,AAAA",
    "v1," + "A" * 44, " ".join(["v1,AAAA"] * 50), "v1,\udcff",
]  # fmt: skip


@pytest.mark.parametrize("signature", MALFORMED)
def test_a_malformed_signature_is_refused_and_no_failure_of_ours(guarded: Guarded, signature: str) -> None:
    body = json.dumps(REPORT).encode()
    headers = signed(body) | {"webhook-signature": signature}
    raw = {name.encode(): value.encode("utf-8", "surrogateescape") for name, value in headers.items()}

    with guarded.client() as client:
        answer = client.post(WEBHOOK, content=body, headers=raw)

    assert answer.status_code == 401


BYTES = [
    b"\xff\xfe",
    b'{"documentId": "\xe9", "status": "parsed"}',
    json.dumps(REPORT).encode("utf-16"),
    b"\xed\xa0\x80",
]


@pytest.mark.parametrize("body", BYTES)
def test_a_body_that_is_no_utf_8_is_malformed_under_a_right_signature_alone(
    guarded: Guarded, body: bytes
) -> None:
    headers = {name: value for name, value in signed(b"").items() if name != "webhook-signature"}
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    right = base64.b64encode(hmac.digest(secret_bytes(SIGNING_SECRET), text, "sha256")).decode()
    wrong = base64.b64encode(hmac.digest(b"another secret", text, "sha256")).decode()

    answers = [send(guarded, body, headers | {"webhook-signature": f"v1,{one}"}) for one in (right, wrong)]

    assert [answer.status_code for answer in answers] == [400, 401]


def test_a_good_signature_among_malformed_ones_counts(guarded: Guarded) -> None:
    body = json.dumps(REPORT).encode()
    headers = signed(body, "among")
    headers["webhook-signature"] = f"x v1 v1,! v2,AAAA {headers['webhook-signature']}"

    assert send(guarded, body, headers).status_code == 202


@pytest.mark.parametrize("age", [360, -360])
def test_a_timestamp_six_minutes_off_is_refused(guarded: Guarded, age: float) -> None:
    body = json.dumps(REPORT).encode()

    assert send(guarded, body, signed(body, "old", age=age)).status_code == 401


@pytest.mark.parametrize("timestamp", ["", "now", "nan", "inf", "-1", "1e400", "9" * 20, "0x5", "5 5"])
def test_a_timestamp_that_is_none_is_refused(guarded: Guarded, timestamp: str) -> None:
    body = json.dumps(REPORT).encode()

    assert send(guarded, body, signed(body) | {"webhook-timestamp": timestamp}).status_code == 401


def test_what_was_signed_can_not_be_swapped(guarded: Guarded) -> None:
    body = json.dumps(REPORT).encode()
    headers = signed(body, "swap")

    assert send(guarded, body.replace(b"parsing", b"failed"), headers).status_code == 401
    assert send(guarded, body, headers | {"webhook-id": "swapped"}).status_code == 401
    later = str(int(headers["webhook-timestamp"]) + 1)
    assert send(guarded, body, headers | {"webhook-timestamp": later}).status_code == 401
    assert send(guarded, b"\xff\xfe", headers).status_code == 401


def test_a_good_key_does_not_help_a_wrong_signature(guarded: Guarded) -> None:
    body = json.dumps(REPORT).encode()
    headers = signed(body) | {"webhook-signature": "v1,AAAA", "x-webhook-key": KEY}

    assert send(guarded, body, headers).status_code == 401


def test_where_signatures_are_required_a_key_is_not_enough(guarded: Guarded) -> None:
    body = json.dumps(REPORT).encode()

    assert send(guarded, body, {"x-webhook-key": KEY}, "api-2").status_code == 401
    assert send(guarded, body, signed(body, "required"), "api-2").status_code == 202


def test_the_same_message_again_makes_no_second_event_at_any_replica(guarded: Guarded) -> None:
    body = json.dumps({**REPORT, "documentId": "replayed"}).encode()
    other = json.dumps({**REPORT, "documentId": "replayed", "status": "failed"}).encode()

    answers = [
        send(guarded, body, signed(body, "replayed")),
        send(guarded, body, signed(body, "replayed"), "api-2"),
        send(guarded, other, signed(other, "replayed")),
    ]

    assert [answer.status_code for answer in answers] == [202] * 3
    assert len({answer.json()["eventId"] for answer in answers}) == 1
    assert [event["status"] for event in events_of(guarded, "replayed")] == ["parsing"]


def test_the_same_event_id_again_makes_no_second_event(guarded: Guarded) -> None:
    report = {"documentId": "by-event-id", "status": "parsing", "eventId": "mine"}
    with guarded.client() as client:
        for message_id in ("a", "b", None):
            headers = {"x-webhook-key": KEY} | ({"webhook-id": message_id} if message_id else {})
            assert client.post(WEBHOOK, json=report, headers=headers).json() == {
                "accepted": True,
                "eventId": "mine",
            }

    assert len(events_of(guarded, "by-event-id")) == 1


def test_one_message_many_times_at_once_is_one_event(guarded: Guarded) -> None:
    body = json.dumps({**REPORT, "documentId": "at-once"}).encode()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: send(guarded, body, signed(body, "at-once")), range(8)))

    assert {answer.status_code for answer in answers} == {202}
    assert len(events_of(guarded, "at-once")) == 1


def test_two_producers_may_use_the_same_message_id(guarded: Guarded) -> None:
    body = json.dumps({**REPORT, "documentId": "two-producers"}).encode()

    send(guarded, body, signed(body, "shared"))
    send(guarded, body, {"x-webhook-key": KEY, "webhook-id": "shared", "content-type": "application/json"})

    assert len(events_of(guarded, "two-producers")) == 2


def test_a_crash_while_publishing_leaves_a_message_that_can_be_sent_again(guarded: Guarded) -> None:
    body = json.dumps({**REPORT, "documentId": "crashed"}).encode()
    first = send(guarded, body, signed(body, "crashed"))
    with closing(psycopg.connect(guarded.system.database_url)) as connection, connection:
        connection.execute(
            "UPDATE webhook_receipts SET confirmed_at = NULL, claimed_until = now() + interval '1 second'"
            " WHERE message_id = 'crashed'"
        )

    again = send(guarded, body, signed(body, "crashed"))

    assert again.json() == first.json()
    assert len({event["eventId"] for event in events_of(guarded, "crashed")}) == 1


def test_a_limited_producer_reports_for_its_owners_alone(guarded: Guarded) -> None:
    mine, theirs = guarded.owned("alice", "limited-alices"), guarded.owned("bob", "limited-bobs")

    def status(**report: object) -> int:
        return guarded.notify(LIMITED_KEY, status="parsing", **report).status_code

    assert status(documentId=mine) == 202
    assert status(documentId="limited-new") == 202
    assert status(documentId="limited-new", ownerId="alice") == 202
    assert status(documentId="limited-new", ownerId="bob") == 403
    assert status(documentId=theirs) == 403
    assert status(documentId=theirs, ownerId="alice") == 403
    assert {event["ownerId"] for event in events_of(guarded, "limited-new")} == {"alice"}


def test_an_event_of_somebodys_document_reaches_nobody_else(guarded: Guarded) -> None:
    theirs = guarded.owned("bob", "unaddressed-bobs")

    assert guarded.notify(documentId=theirs, status="parsing").status_code == 202
    assert guarded.notify(documentId=theirs, status="parsing", ownerId="mallory").status_code == 403
    assert [event["ownerId"] for event in events_of(guarded, theirs)] == ["bob"]


def test_a_report_right_after_the_first_one_has_its_owner(guarded: Guarded) -> None:
    for number in range(5):
        assert (
            guarded.notify(documentId=f"new-{number}", status="parsing", ownerId="alice").status_code == 202
        )
        assert guarded.notify(documentId=f"new-{number}", status="parsed").status_code == 202

    owners = {event["ownerId"] for number in range(5) for event in events_of(guarded, f"new-{number}")}
    assert owners == {"alice"}


def test_what_is_reported_of_a_deleted_document_is_its_owners(guarded: Guarded) -> None:
    uploaded = guarded.owned("alice", "deleted-uploaded")
    guarded.notify(documentId="deleted-reported", status="parsing", ownerId="alice")
    assert len(events_of(guarded, "deleted-reported")) == 1
    for document_id in (uploaded, "deleted-reported"):
        with guarded.client(**bearer("alice")) as client:
            assert client.delete(f"/api/v1/documents/{document_id}").status_code == 204
        assert guarded.notify(documentId=document_id, status="failed").status_code == 202

        assert {event["ownerId"] for event in events_of(guarded, document_id)} == {"alice"}
        with guarded.client(**bearer("bob")) as client:
            assert client.get(f"/api/v1/documents/{document_id}").status_code == 404


def test_the_id_of_another_producers_event_is_refused(guarded: Guarded) -> None:
    report = {"documentId": "two-producers", "status": "parsing", "eventId": "evt-1"}
    assert guarded.notify(KEY, **report).status_code == 202
    assert guarded.notify(KEY, **report).status_code == 202
    assert guarded.notify(LIMITED_KEY, **report).status_code == 422


def test_a_document_may_be_called_as_a_directory_is(guarded: Guarded) -> None:
    assert guarded.notify(documentId="..", status="embedded").status_code == 202
    assert len(events_of(guarded, "..")) == 1
    with guarded.client(**bearer("root", scope="admin")) as client:
        assert client.delete("/api/v1/documents/%2E%2E").status_code == 204


BODIES = [
    (b"", "application/json", 400),
    (b"{", "application/json", 400),
    (b"\xff", "application/json", 400),
    (b"[" * 30_000, "application/json", 400),
    (b"[]", "application/json", 422),
    (b'{"documentId": "x"}', "application/json", 422),
    (b'{"documentId": "../etc", "status": "parsing"}', "application/json", 422),
    (b'{"documentId": "x", "status": "hacked"}', "application/json", 422),
    (b'{"documentId": "x", "status": "parsing", "message": 1}', "application/json", 422),
    (
        b'{"documentId": "x", "status": "parsing", "metadata": {"a": %s}}' % (b"[" * 200 + b"]" * 200),
        "application/json",
        422,
    ),
    (b'{"documentId": "x", "status": "parsing"}', "text/plain", 415),
    (b'{"documentId": "x", "status": "parsing"}', "application/x-www-form-urlencoded", 415),
    (b'{"documentId": "x", "message": "%s"}' % (b"a" * 65_536), "application/json", 413),
]


@pytest.mark.parametrize(("body", "content_type", "status"), BODIES)
def test_a_body_that_is_no_report_is_refused_with_its_status(
    guarded: Guarded, body: bytes, content_type: str, status: int
) -> None:
    answer = send(guarded, body, {"x-webhook-key": KEY, "content-type": content_type})

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert ("errors" in answer.json()) == (status == 422)


def test_a_body_of_no_announced_size_is_cut_off_as_well(guarded: Guarded) -> None:
    with guarded.client() as client:
        parts = (b" " * 8192 for _ in range(100))
        answer = client.post(WEBHOOK, content=parts, headers={"x-webhook-key": KEY})

    assert answer.status_code == 413


def test_over_its_rate_a_producer_is_told_when_to_come_back(guarded: Guarded) -> None:
    def report(number: int) -> httpx.Response:
        body = json.dumps({**REPORT, "documentId": "rate"}).encode()
        return send(guarded, body, signed(body, f"rate-{number}", secret=KEY.encode()), "api-2")

    answers = [report(number) for number in range(5)]
    refused = answers[-1]

    assert [answer.status_code for answer in answers] == [202] * 3 + [429] * 2
    assert 1 <= int(refused.headers["retry-after"]) <= 20
    assert '"producer";q=3;w=60' in refused.headers["ratelimit-policy"]
    assert '"producer";r=0' in refused.headers["ratelimit"]
    assert refused.json()["title"] == "Too Many Requests"


def test_keys_are_compared_in_constant_time_as_digests_of_one_length(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[int, int]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return hmac.compare_digest(one, other)

    monkeypatch.setattr(producers, "hmac", type("hmac", (), {"compare_digest": staticmethod(compare)}))
    digests = tuple(hashlib.sha256(key).digest() for key in (b"a", b"bb"))
    known = producers.Producers((producers.Producer("p", digests, ()), producers.Producer("q", digests, ())))

    known.by_key({"x-webhook-key": "a"})

    assert compared == [(32, 32)] * 4, "all of them, also after the one that matched"
