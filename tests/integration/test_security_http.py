"""Attacks on the HTTP layer: smuggling, sizes, slowness, and what answers and logs give away."""

import contextlib
import json
import re
import socket
import time
from collections.abc import Iterator

import pytest

from tests.support.guarded import KEY, PLANTED, WEBHOOK, Guarded, bearer, token

DOCUMENTS = "/api/v1/documents"
REPORT = json.dumps({"documentId": "raw", "status": "parsing"}).encode()


def exchange(guarded: Guarded, request: bytes, *, within: float = 5) -> bytes:
    """What the server says to raw bytes until it closes or is silent."""
    with socket.create_connection(("127.0.0.1", guarded.system.ports["api"]), timeout=within) as peer:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            peer.sendall(request)
        received = b""
        try:
            while part := peer.recv(65_536):
                received += part
        except (TimeoutError, ConnectionResetError):
            pass
    return received


def statuses(answer: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", answer)]


def webhook_head(*more: bytes) -> bytes:
    lines = [
        b"POST %s HTTP/1.1" % WEBHOOK.encode(),
        b"Host: x",
        b"Connection: close",
        b"X-Webhook-Key: " + KEY.encode(),
    ]
    return b"\r\n".join([*lines, b"Content-Type: application/json", *more, b"", b""])


SMUGGLED = b"GET /api/v1/documents HTTP/1.1\r\nHost: x\r\n\r\n"
SMUGGLING = {
    "length and chunked": webhook_head(b"Content-Length: 4", b"Transfer-Encoding: chunked")
    + b"0\r\n\r\n"
    + SMUGGLED,
    "two lengths": webhook_head(b"Content-Length: 4", b"Content-Length: 50") + REPORT,
    "two lengths in one": webhook_head(b"Content-Length: 4, 50") + REPORT,
    "a length with a sign": webhook_head(b"Content-Length: +40") + REPORT,
    "space before the colon": webhook_head(b"Content-Length : 40") + REPORT,
    "chunked and something": webhook_head(b"Transfer-Encoding: chunked, identity") + b"0\r\n\r\n" + SMUGGLED,
    "chunked misspelt": webhook_head(b"Transfer-Encoding: xchunked") + b"0\r\n\r\n" + SMUGGLED,
    "a chunk size that overflows": webhook_head(b"Transfer-Encoding: chunked")
    + b"fffffffffffffffff\r\n"
    + SMUGGLED,
    "NUL in a header": webhook_head(b"Webhook-Signature: v1,\x00", b"Content-Length: %d" % len(REPORT))
    + REPORT,
    "a line feed alone": b"POST /x HTTP/1.1\nHost: x\nX: y\r\nContent-Length: 0\n\n\n",
    "two keys": webhook_head(b"X-Webhook-Key: other", b"Content-Length: %d" % len(REPORT)) + REPORT,
    "two ids": webhook_head(b"Webhook-Id: a", b"Webhook-Id: b", b"Content-Length: %d" % len(REPORT)) + REPORT,
    "two hosts": webhook_head(b"Host: y", b"Content-Length: %d" % len(REPORT)) + REPORT,
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64,
}


@pytest.mark.parametrize("name", SMUGGLING)
def test_a_request_that_can_be_read_in_two_ways_is_not_read(guarded: Guarded, name: str) -> None:
    assert statuses(exchange(guarded, SMUGGLING[name])) == [400]


HOSTLESS = {
    "no host": b"GET %s HTTP/1.1\r\nConnection: close\r\n\r\n",
    "no host in HTTP/1.0": b"GET %s HTTP/1.0\r\n\r\n",
    "an empty host": b"GET %s HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n",
    "half an address": b"GET %s HTTP/1.1\r\nHost: [::1\r\nConnection: close\r\n\r\n",
    "a port beyond all": b"GET %s HTTP/1.1\r\nHost: localhost:99999\r\nConnection: close\r\n\r\n",
    "a user": b"GET %s HTTP/1.1\r\nHost: me@localhost\r\nConnection: close\r\n\r\n",
    "two hosts": b"GET %s HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    "another in the target": b"GET http://evil.example%s HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "one in the target alone": b"GET http://localhost%s HTTP/1.1\r\n\r\n",
    "a user in the target": b"GET http://me@localhost%s HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@pytest.mark.parametrize("name", HOSTLESS)
@pytest.mark.parametrize("path", [b"/healthz", b"/", b"/api/v1/documents"])
def test_a_request_that_names_no_single_host_is_refused(guarded: Guarded, name: str, path: bytes) -> None:
    answer = exchange(guarded, HOSTLESS[name] % path)

    assert statuses(answer) == [400]
    assert b"problem+json" in answer


def test_an_address_in_absolute_form_is_answered(guarded: Guarded) -> None:
    asked = b"GET http://Localhost:80/healthz HTTP/1.1\r\nHost: localhost:80\r\nConnection: close\r\n\r\n"

    assert statuses(exchange(guarded, asked)) == [200]


def test_two_tokens_in_one_request_are_refused(guarded: Guarded) -> None:
    with guarded.client() as client:
        headers = [("Authorization", f"Bearer {token()}"), ("Authorization", f"Bearer {token('bob')}")]
        assert client.get(DOCUMENTS, headers=headers).status_code == 400


OVERSIZED = {
    "one large header": b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40_000 + b"\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
    "a long address": b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a head without end": b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 2_000_000,
}


@pytest.mark.parametrize("name", OVERSIZED)
def test_an_oversized_head_is_refused(guarded: Guarded, name: str) -> None:
    answer = exchange(guarded, OVERSIZED[name])

    assert statuses(answer) in ([431], []), "a reset may overtake the answer"
    assert b"problem+json" in answer or not answer


@pytest.mark.parametrize("path", [WEBHOOK, "/api/v1/search", DOCUMENTS])
def test_a_slow_body_is_given_up_on(guarded: Guarded, path: str) -> None:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nX-Webhook-Key: {KEY}\r\nAuthorization: Bearer {token()}\r\n"
        "Content-Type: " + ("multipart/form-data; boundary=b" if path == DOCUMENTS else "application/json")
    )
    began = time.monotonic()

    answer = exchange(guarded, head.encode() + b"\r\nContent-Length: 1000\r\n\r\n--b")

    assert statuses(answer) == [408]
    assert b"problem+json" in answer
    assert time.monotonic() - began < 4


def test_every_answer_carries_security_headers_and_a_request_id(guarded: Guarded) -> None:
    with guarded.client() as client:
        answers = [client.get(path) for path in ("/", "/page.js", DOCUMENTS, "/nowhere", "/healthz", "/docs")]

    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])
        assert "server" not in answer.headers


def test_a_body_is_bounded_and_read_only_of_those_who_may_ask(guarded: Guarded) -> None:
    def in_pieces() -> Iterator[bytes]:
        yield b'{"query": "'
        for _ in range(20):
            yield b"a" * 65_536

    with guarded.client() as client:
        assert client.post("/api/v1/session", content=in_pieces()).status_code == 413
        assert client.post("/api/v1/search", content=in_pieces()).status_code == 401, "unread"
        assert client.post("/api/v1/search", content=in_pieces(), headers=bearer()).status_code == 413


def test_the_page_may_run_nothing_but_its_own_files(guarded: Guarded) -> None:
    with guarded.client() as client:
        page = client.get("/")
    policy = page.headers["content-security-policy"]

    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"<script>|<style|\sstyle=|\son\w+=", page.text)


def test_the_docs_need_nothing_from_elsewhere(guarded: Guarded) -> None:
    with guarded.client() as client:
        page = client.get("/docs")
        files = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert len(files) == 3
        assert [client.get(file).status_code for file in files] == [200] * 3, "all from here"
    assert "unsafe-inline" not in page.headers["content-security-policy"].split("script-src")[1].split(";")[0]
    assert "sha256-" in page.headers["content-security-policy"]


def test_the_queues_page_runs_nothing_but_the_viewer_that_we_carry(guarded: Guarded) -> None:
    with guarded.client() as client:
        page = client.get("/asyncapi")
        files = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert [client.get(file).status_code for file in files] == [200] * len(files), "all from here"
    policy = page.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "connect-src 'self';" in policy


def test_a_request_id_is_taken_over_when_it_is_harmless(guarded: Guarded) -> None:
    with guarded.client() as client:
        kept = client.get("/healthz", headers={"X-Request-ID": "trace-1.a_B"})
        replaced = client.get("/healthz", headers={"X-Request-ID": 'x" onload="y'})

    assert kept.headers["x-request-id"] == "trace-1.a_B"
    assert re.fullmatch(r"[0-9a-f]{32}", replaced.headers["x-request-id"])


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("PUT", DOCUMENTS, 405), ("GET", WEBHOOK, 405), ("POST", "/", 405)],
)
def test_errors_are_problems_everywhere(guarded: Guarded, method: str, path: str, status: int) -> None:
    with guarded.client(**bearer()) as client:
        answer = client.request(method, path)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json().keys() >= {"type", "title", "status", "detail"}


def test_an_upload_name_is_harmless_in_answers_and_logs(guarded: Guarded) -> None:
    name = "../../etc/passwd\x1b[31m\u202egnp.<img src=x>\r\nX: y"
    with guarded.client(**bearer("victor")) as client:
        form = (
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="'
            + name.replace("\r\n", " ").encode()
            + b'"\r\n\r\nplain text\r\n--b--\r\n'
        )
        answer = client.post(
            DOCUMENTS, content=form, headers={"Content-Type": "multipart/form-data; boundary=b"}
        )

    assert answer.status_code == 202, answer.text
    shown = answer.json()["filename"]
    assert shown.isprintable()
    assert "/" not in shown
    assert "\x1b" not in guarded.logs()
    assert "\u202e" not in guarded.logs()


def test_over_its_rate_a_user_is_refused_and_others_are_not(guarded: Guarded) -> None:
    def ask(user: str) -> int:
        with guarded.client("api-2", **bearer(user)) as client:
            answer = client.get(DOCUMENTS)
        assert '"user";q=5;w=60' in answer.headers["ratelimit-policy"]
        return answer.status_code

    assert [ask("xavier") for _ in range(6)] == [200] * 5 + [429]
    assert ask("yolanda") == 200


def test_over_its_rate_an_address_is_refused_before_it_is_asked_who_it_is(guarded: Guarded) -> None:
    with guarded.client("api-2") as client:
        first = refused = client.get(DOCUMENTS)
        for number in range(400):
            if refused.status_code == 429:
                break
            refused = client.get(DOCUMENTS, headers={"X-Forwarded-For": f"10.0.{number}.1"})
        assert client.get("/healthz").status_code == 200, "probes are not counted"

    assert first.status_code == 401
    assert (refused.status_code, refused.headers["content-type"]) == (429, "application/problem+json")
    assert int(refused.headers["retry-after"]) >= 1
    assert '"address"' in refused.headers["ratelimit"]


def test_no_planted_secret_is_in_a_log_or_an_answer(guarded: Guarded) -> None:
    ours = token("walter")
    with guarded.client(Authorization=f"Bearer {ours}") as client:
        ticket = client.post("/api/v1/events/tickets").json()["ticket"]
        answers = [
            client.get(DOCUMENTS),
            client.get(
                "/api/v1/events",
                params={"ticket": ours, "token": ours},
                headers={"Authorization": f"x {ours}"},
            ),
            client.get("/api/v1/events", params={"ticket": ticket + "x"}, headers={"Authorization": ""}),
            client.get(DOCUMENTS, headers={"Authorization": f"Bearer {ours}x"}),
            client.get(f"{DOCUMENTS}/{KEY}"),
            client.post("/api/v1/search", json={"query": [ours]}),
            client.post("/api/v1/session", json={"token": [ours]}),
            client.post(WEBHOOK, content=b'{"documentId": "' + KEY.encode(), headers={"X-Webhook-Key": KEY}),
            client.post(WEBHOOK, json={"documentId": [KEY]}, headers={"X-Webhook-Key": KEY}),
            client.post(WEBHOOK, json={"documentId": 1}, headers={"X-Webhook-Key": KEY + "x"}),
            client.get("/readyz"),
            client.get("/metrics"),
            client.get("/openapi.json"),
        ]
    given_away = guarded.logs() + "".join(answer.text + str(answer.headers) for answer in answers)

    assert len(guarded.logs()) > 1000
    assert [secret for secret in (*PLANTED, ours, ticket, ours.split(".")[2]) if secret in given_away] == []
    assert "Traceback" not in "".join(answer.text for answer in answers)
