"""The notifier for external producers: what it sends, when it tries again, and that it never breaks their work."""

import asyncio
import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook as Signature

import stagecast_client
from contracts.events import StatusEvent
from services.api.webhook.reports import ReportedStatus
from stagecast_client import AsyncNotifier, NotDelivered, Notifier
from stagecast_client import notifier as module
from stagecast_client.retrying import LONGEST_ASKED_SECONDS, retry_after

SECRET = "whsec_cGxhbnRlZC1zaWduaW5nLXNlY3JldC0wMTIzNDU2Nzg5"
Answer = httpx.Response | Exception


class Server:
    """Answers in turn, 202 after the last; keeps what it was sent."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.http = httpx.Client(transport=httpx.MockTransport(self._answer))
        self.async_http = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if self.answers else httpx.Response(202, json={"eventId": "e-1"})
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def reports(self) -> list[dict[str, Any]]:
        return [json.loads(request.content) for request in self.requests]

    def notifier(self, **options: Any) -> Notifier:
        return Notifier("http://stagecast/", SECRET, http=self.http, **options)


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long it would have waited."""
    taken: list[float] = []

    async def sleep(seconds: float) -> None:
        taken.append(seconds)

    monkeypatch.setattr(
        module, "time", type("time", (), {"sleep": taken.append, "monotonic": time.monotonic})
    )
    monkeypatch.setattr(module, "asyncio", type("asyncio", (), {"sleep": sleep}))
    return taken


METHODS: list[tuple[Callable[[Any], Any], str, dict[str, Any]]] = [
    (
        lambda n: n.notify_parsing_started("d", "a.pdf", "application/pdf"),
        "parsing_started",
        {"filename": "a.pdf", "fileType": "application/pdf"},
    ),
    (lambda n: n.notify_parsing_completed("d", "a.pdf", 7), "parsed", {"filename": "a.pdf", "chunkCount": 7}),
    (lambda n: n.notify_embedding_started("d", "a.pdf"), "embedding", {"filename": "a.pdf"}),
    (
        lambda n: n.notify_embedding_completed("d", "a.pdf", 7),
        "embedded",
        {"filename": "a.pdf", "embeddingCount": 7},
    ),
    (
        lambda n: n.notify_processing_failed("d", "a.pdf", "It is torn.", "parsing"),
        "failed",
        {
            "filename": "a.pdf",
            "error": "It is torn.",
            "stage": "parsing",
            "code": "internal",
            "retryable": False,
        },
    ),
    (
        lambda n: n.send_document_processing_notification("d", "parsing", "Page 3", {"pagesDone": 3}),
        "parsing",
        {"pagesDone": 3},
    ),
]


@pytest.mark.parametrize(("call", "status", "metadata"), METHODS)
def test_each_method_reports_its_status(
    call: Callable[[Any], Any], status: str, metadata: dict[str, Any]
) -> None:
    server = Server()

    assert call(server.notifier()) == "e-1"

    sent = ReportedStatus.model_validate(server.reports[0])
    assert (sent.document_id, sent.status, sent.metadata) == ("d", status, metadata)
    assert sent.message
    assert server.requests[0].url.path == "/api/v1/events/webhook/document-processing"


@pytest.mark.parametrize(("call", "status", "metadata"), METHODS)
def test_the_asynchronous_one_reports_the_same(
    call: Callable[[Any], Any], status: str, metadata: dict[str, Any]
) -> None:
    server = Server(httpx.Response(503))

    async def report() -> object:
        async with AsyncNotifier("http://stagecast", SECRET, http=server.async_http) as notifier:
            return await call(notifier)

    assert asyncio.run(report()) == "e-1"
    assert [report["metadata"] for report in server.reports] == [metadata] * 2


def test_every_try_is_signed_and_carries_the_same_message_id(pauses: list[float]) -> None:
    server = Server(
        httpx.ConnectError("no"), httpx.ReadTimeout("late"), httpx.Response(503), httpx.Response(429)
    )

    assert server.notifier().notify_embedding_started("d", "a.pdf") == "e-1"

    for request in server.requests:
        Signature(SECRET).verify(request.content, dict(request.headers))
    assert len(server.requests) == 5
    assert len({request.headers["webhook-id"] for request in server.requests}) == 1
    assert len(pauses) == 4
    assert SECRET not in str([request.headers for request in server.requests])


def test_a_secret_without_prefix_signs_with_its_bytes() -> None:
    server = Server()
    Notifier("http://stagecast", "plain-key", http=server.http).notify_embedding_started("d", "a.pdf")

    Signature(b"plain-key").verify(server.requests[0].content, dict(server.requests[0].headers))


def test_a_secret_may_be_shown_instead() -> None:
    server = Server()
    server.notifier(sign=False).notify_embedding_started("d", "a.pdf")

    assert server.requests[0].headers["x-webhook-key"] == SECRET
    assert "webhook-signature" not in server.requests[0].headers


def test_pauses_grow_and_differ(pauses: list[float]) -> None:
    Server(*[httpx.Response(503)] * 5).notifier().notify_embedding_started("d", "a.pdf")
    once = list(pauses)
    Server(*[httpx.Response(503)] * 5).notifier().notify_embedding_started("d", "a.pdf")

    assert all(0.25 * 2**n <= pause <= 0.5 * 2**n for n, pause in enumerate(once))
    assert once != pauses[5:]


@pytest.mark.parametrize("asked", [lambda: "7", lambda: formatdate(time.time() + 9, usegmt=True)])
def test_a_retry_after_is_waited_for(asked: Callable[[], str], pauses: list[float]) -> None:
    server = Server(httpx.Response(429, headers={"Retry-After": asked()}))

    assert server.notifier().notify_embedding_started("d", "a.pdf") == "e-1"
    assert 5 < pauses[0] < 10


@pytest.mark.parametrize("asked", ["soon", "-5", "Sat, 01 Jan 0001 00:00:00 -0000"])
def test_a_retry_after_that_says_nothing_is_not_waited_for(asked: str, pauses: list[float]) -> None:
    server = Server(httpx.Response(429, headers={"Retry-After": asked}))

    assert server.notifier().notify_embedding_started("d", "a.pdf") == "e-1"
    assert pauses[0] <= 0.5


def test_a_retry_after_beyond_any_clock_is_cut() -> None:
    assert retry_after({"retry-after": "9" * 400}) == LONGEST_ASKED_SECONDS


def test_a_retry_after_beyond_its_patience_is_not_waited_for(pauses: list[float]) -> None:
    server = Server(httpx.Response(503, headers={"Retry-After": "3600"}))

    assert server.notifier().notify_embedding_started("d", "a.pdf") is None
    assert pauses == []


@pytest.mark.parametrize("status", [400, 401, 403, 413, 415, 422])
def test_what_will_not_pass_is_not_tried_again_and_only_logged(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server(httpx.Response(status, json={"detail": "No."}))

    assert server.notifier().notify_embedding_started("d\n2026 forged line", "a.pdf") is None
    assert len(server.requests) == 1
    assert [
        (record.levelno, record.name) for record in caplog.records if record.name == "stagecast_client"
    ] == [(logging.WARNING, "stagecast_client")]
    assert "\n" not in caplog.messages[-1]
    assert SECRET not in caplog.text


@pytest.mark.parametrize("metadata", [{"x": object()}, {"x": float("nan")}])
def test_a_report_that_can_not_be_made_does_not_break_the_work(metadata: dict[str, Any]) -> None:
    assert Server().notifier().send_document_processing_notification("d", "parsing", "", metadata) is None
    with pytest.raises(NotDelivered):
        Server().notifier(raise_errors=True).send_document_processing_notification(
            "d", "parsing", "", metadata
        )


def test_errors_are_raised_where_that_is_asked_for() -> None:
    with pytest.raises(NotDelivered) as refusal:
        Server(httpx.Response(401)).notifier(raise_errors=True).notify_embedding_started("d", "a.pdf")
    assert refusal.value.status == 401
    with pytest.raises(NotDelivered) as silence:
        Server(httpx.ConnectError("no")).notifier(
            raise_errors=True, patience_seconds=0
        ).notify_embedding_started("d", "a.pdf")
    assert silence.value.status is None
    with pytest.raises(NotDelivered) as later:
        Server(httpx.Response(503, headers={"Retry-After": "3600"})).notifier(
            raise_errors=True
        ).notify_embedding_started("d", "a.pdf")
    assert (later.value.status, later.value.retry_after) == (503, 3600)
    assert [failure.value.passes for failure in (refusal, silence, later)] == [False, True, True]
    assert str(silence.value).startswith("No answer from http://stagecast: no.")


def test_a_long_message_is_cut_and_an_owner_named() -> None:
    server = Server()
    server.notifier(owner_id="alice").send_document_processing_notification("d", "failed", "x" * 5000)

    assert len(server.reports[0]["message"]) == 2000
    assert server.reports[0]["ownerId"] == "alice"
    assert StatusEvent.model_fields.keys() >= {"owner_id"}


def test_the_package_needs_nothing_of_the_server() -> None:
    source = Path(stagecast_client.__file__).parents[1]
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import stagecast_client;"
        "print([name for name in ('services', 'contracts', 'pydantic', 'sqlalchemy', 'fastapi', 'aio_pika')"
        " if name in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(source)], capture_output=True, check=True, cwd="/"
    )

    assert ran.stdout == b"[]\n"
