"""What comes in meanwhile: documents of all kinds, deletions, retries, and a producer's webhook events."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from tests.support.documents import encrypted_pdf, pdf, scanned_pdf, truncated_pdf
from tests.support.system import API_KEY, Json, System, plain_client

STAGES = ("parsing_started", "parsing", "parsed", "embedding", "embedded")
WEBHOOK = "/api/v1/events/webhook/document-processing"


@dataclass(frozen=True)
class Sort:
    """A sort of document, and the codes with which it may fail (none: it must be embedded)."""

    name: str
    content: Callable[[int], bytes]
    code: str | None = None


def _words(number: int, count: int) -> str:
    dice = random.Random(number)  # noqa: S311 - the same each time
    words = (
        "otter",
        "river",
        "bridge",
        "lantern",
        "harbour",
        "meadow",
        "engine",
        "ledger",
        "winter",
        "signal",
    )
    return f"Document {number}. " + " ".join(dice.choice(words) for _ in range(count)) + "."


def _large(number: int) -> bytes:
    return "\n\n".join(_words(number * 1000 + part, 150) for part in range(25)).encode()


SORTS = (
    Sort("small.txt", lambda number: _words(number, 40).encode()),
    Sort("notes.md", lambda number: f"# Notes {number}\n\n{_words(number, 60)}\n".encode()),
    Sort("page.html", lambda n: f"<!doctype html><h1>Page {n}</h1><p>{_words(n, 60)}</p>".encode()),
    Sort("pages.pdf", lambda n: pdf(*(_words(n * 100 + page, 80) for page in range(6)))),
    Sort("large.txt", _large),
    Sort("scan.pdf", lambda n: scanned_pdf(1) + b"%% %d" % n, "no_text_layer"),
    Sort("secret.pdf", lambda n: encrypted_pdf(_words(n, 30), password="sesame"), "encrypted"),
    Sort("half.pdf", lambda n: truncated_pdf(_words(n, 90), keep=0.3) + b"%% %d" % n, "corrupt"),
)


@dataclass
class Load:
    """Runs in threads until ``stop``; what was promised to it is in its fields."""

    system: System
    seed: int
    pause: float = 0.25
    accepted: dict[str, Sort] = field(default_factory=dict)
    """Answered with 202, and not deleted since, as far as is known."""
    deleted: set[str] = field(default_factory=set)
    touched: set[str] = field(default_factory=set)
    """Documents whose deletion was asked for without an answer."""
    events: dict[str, list[str]] = field(default_factory=dict)
    """Event ids that the webhook answered with 202, in order, by document."""
    answers: dict[int, int] = field(default_factory=dict)
    """How many requests were answered with each status; 0 is no answer."""
    slowest_refusal: float = 0.0
    _stopping: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)
    bugs: list[str] = field(default_factory=list)

    def start(self) -> None:
        for target in (self._upload, self._upload, self._report, self._delete):
            thread = threading.Thread(target=target, args=(len(self._threads),), daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self, meanwhile: Callable[[], None], within: float = 90) -> None:
        """Let everybody end what they have begun: each request is repeated until it is answered."""
        self._stopping.set()
        deadline = time.monotonic() + within
        while any(thread.is_alive() for thread in self._threads):
            assert time.monotonic() < deadline, "a request is never answered"
            meanwhile()
            time.sleep(0.1)

    def _ask(self, method: str, path: str, **more: object) -> httpx.Response | None:
        began = time.monotonic()
        try:
            with plain_client(self.system.url) as client:
                answer = client.request(method, path, **more)  # type: ignore[arg-type]  # the options of one request are of many types
        except httpx.HTTPError:
            self.answers[0] = self.answers.get(0, 0) + 1
            return None
        self.answers[answer.status_code] = self.answers.get(answer.status_code, 0) + 1
        if answer.status_code == 503:
            self.slowest_refusal = max(self.slowest_refusal, time.monotonic() - began)
        if answer.status_code == 500 or (answer.status_code == 503 and "retry-after" not in answer.headers):
            self.bugs.append(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer

    def _insist(self, method: str, path: str, **more: object) -> httpx.Response:
        while True:
            answer = self._ask(method, path, **more)
            if answer is not None and answer.status_code not in (500, 503):
                return answer
            time.sleep(0.3)

    def _upload(self, lane: int) -> None:
        dice = random.Random(f"{self.seed}/{lane}")  # noqa: S311 - the same each time
        number = lane * 1_000_000 + 1
        while not self._stopping.is_set():
            sort = dice.choices(SORTS, (6, 3, 3, 4, 2, 1, 1, 1))[0]
            files = {"file": (f"{number}-{sort.name}", sort.content(number))}
            priority = dice.choice(("normal", "bulk"))
            answer = self._insist("POST", "/api/v1/documents", files=files, params={"priority": priority})
            if answer.status_code in (200, 202):
                self.accepted[answer.json()["documentId"]] = sort
            else:
                self.bugs.append(f"{sort.name}: {answer.status_code} {answer.text[:300]}")
            number += 1
            self._stopping.wait(dice.uniform(0, 2 * self.pause))

    def _report(self, lane: int) -> None:
        number = 0
        while not self._stopping.is_set():
            document_id = f"external-{number}"
            for status in STAGES:
                message_id = f"message-{number}-{status}"
                body: Json = {"documentId": document_id, "status": status, "message": "As told."}
                headers = {"X-Webhook-Key": API_KEY, "webhook-id": message_id}
                answer = self._insist("POST", WEBHOOK, json=body, headers=headers)
                if answer.status_code == 202:
                    self.events.setdefault(document_id, []).append(answer.json()["eventId"])
                else:
                    self.bugs.append(f"webhook: {answer.status_code} {answer.text[:300]}")
            number += 1
            self._stopping.wait(self.pause)

    def _delete(self, lane: int) -> None:
        dice = random.Random(f"{self.seed}/{lane}")  # noqa: S311 - the same each time
        while not self._stopping.wait(dice.uniform(0, 16 * self.pause)):
            if not self.accepted:
                continue
            document_id = dice.choice(list(self.accepted))
            if dice.random() < 0.4:
                self._insist("POST", f"/api/v1/documents/{document_id}/retry")
                continue
            self.touched.add(document_id)
            answer = self._insist("DELETE", f"/api/v1/documents/{document_id}")
            if answer.status_code in (204, 404):
                self.deleted.add(document_id)
                self.accepted.pop(document_id, None)
