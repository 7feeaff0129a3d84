"""Documents in memory that walk through the stages by themselves, fast enough for tests."""

import asyncio
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from contracts.events import event_id
from contracts.failures import DocumentFailed, FailureCode
from contracts.statuses import TERMINAL, Status
from contracts.wire import rfc3339
from tests.support.fakes.clock import now
from tests.support.fakes.event_log import EventLog

PAGES = 5
CHUNKS = 12


def media_type(content: bytes) -> str | None:
    """The type by content, as far as the fake needs it; none for what nobody can parse."""
    if content.startswith(b"%PDF"):
        return "application/pdf"
    return None if b"\0" in content else "text/plain"


def text_of(content: bytes) -> str:
    """What can be found in a document: text as it is, and the strings shown by a plain PDF."""
    shown = re.findall(rb"\(((?:[^()\\]|\\.)*)\) ?Tj", content)
    return (b" ".join(shown) if content.startswith(b"%PDF") else content).decode("utf-8", "replace")


@dataclass
class FakeDocuments:
    """The documents of one fake server, and the tasks that process them."""

    log: EventLog
    step_seconds: float = 0.01
    by_id: dict[str, dict[str, Any]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def same_bytes(self, content: bytes) -> dict[str, Any] | None:
        """The document that has these bytes already."""
        digest = hashlib.sha256(content).hexdigest()
        return next((document for document in self.by_id.values() if document["sha256"] == digest), None)

    def add(self, document_id: str, filename: str | None, content: bytes | None) -> dict[str, Any]:
        """Make a row; ``content`` is none for a document that only a webhook told of."""
        document = self.by_id[document_id] = {
            "documentId": document_id,
            "filename": filename,
            "fileType": media_type(content) if content is not None else None,
            "size": len(content) if content is not None else None,
            "sha256": hashlib.sha256(content).hexdigest() if content is not None else None,
            "ownerId": None,
            "status": Status.PARSING_STARTED,
            "message": "",
            "attempt": 0,
            "createdAt": rfc3339(now()),
            "updatedAt": rfc3339(now()),
            "stages": {},
        }
        if content is not None:
            self.contents[document_id] = content
        return document

    def process(self, document_id: str) -> None:
        """Begin an attempt, in the background after its first event."""
        document = self.by_id[document_id]
        document |= {"attempt": document["attempt"] + 1, "error": None, "embeddedCount": 0}
        document |= {"pageCount": None, "chunkCount": None}
        about = {"fileType": document["fileType"], "size": document["size"]}
        self.report(document_id, Status.PARSING_STARTED, 0, **about)
        task = asyncio.get_running_loop().create_task(self._walk(document_id))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def report(self, document_id: str, status: Status, progress: int, **metadata: Any) -> None:
        """Put an event of one of the stages into the log."""
        document = self.by_id[document_id]
        self.record(
            {
                "eventId": event_id(document_id, document["attempt"], status, progress),
                "documentId": document_id,
                "status": status,
                "message": f"{document['filename']}: {status}",
                "metadata": {"filename": document["filename"], **metadata},
                "timestamp": rfc3339(now()),
                "ownerId": None,
                "attempt": document["attempt"],
                "source": "parser",
            }
        )

    def record(self, event: dict[str, Any]) -> None:
        """Apply a status event to the row and put it into the log."""
        document = self.by_id.get(event["documentId"]) or self.add(event["documentId"], None, None)
        metadata = event["metadata"]
        document |= {"status": event["status"], "message": event["message"], "updatedAt": event["timestamp"]}
        counted = ("pageCount", "chunkCount", "embeddedCount")
        document |= {key: metadata[key] for key in counted if key in metadata}
        if event["status"] == Status.FAILED:
            document["error"] = {
                "code": metadata.get("code", "internal"),
                "message": metadata.get("error", event["message"]),
                "stage": metadata.get("stage", "parsing"),
                "retryable": metadata.get("retryable", False),
            }
        self.log.append("document_processing", event)

    def remove(self, document_id: str) -> None:
        """Delete a row and tell."""
        del self.by_id[document_id]
        gone = {"documentId": document_id, "ownerId": None, "timestamp": rfc3339(now())}
        self.log.append("document_deleted", gone)

    def matching(self, pairs: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
        """What a list's parameters ask for, in its order; of those parameters that the page uses."""
        asked: dict[str, list[str]] = {}
        for key, value in pairs:
            asked.setdefault(key, []).append(value)
        name = asked.get("name", [""])[0].lower()
        shown = [
            one
            for one in self.by_id.values()
            if all(one[key] in asked[key] for key in ("status", "fileType", "ownerId") if key in asked)
            and name in (one["filename"] or "").lower()
        ]
        sort = asked.get("sort", ["-createdAt"])[0]
        key = sort.removeprefix("-")
        return sorted(
            shown, key=lambda one: (one[key] or "", one["documentId"]), reverse=sort.startswith("-")
        )

    def found(self, query: str) -> list[str]:
        """Ids of the embedded documents that have the query in their text, or a word of it."""
        words = set(query.lower().split())
        texts = {key: text_of(self.contents[key]).lower() for key in self.by_id if key in self.contents}
        scored = {key: sum(word in text for word in words) for key, text in texts.items()}
        done = (key for key, score in scored.items() if score)
        embedded = [key for key in done if self.by_id[key]["status"] == Status.EMBEDDED]
        return sorted(embedded, key=lambda key: -scored[key])

    async def _walk(self, document_id: str) -> None:
        try:
            for status, progress, metadata in self._steps(self.contents[document_id]):
                await asyncio.sleep(self.step_seconds)
                if document_id not in self.by_id:
                    return
                self.report(document_id, status, progress, **metadata)
        except DocumentFailed as failure:
            told = {"error": failure.message, "code": failure.code, "stage": "parsing"}
            self.report(document_id, Status.FAILED, 0, **told, retryable=failure.retryable)

    def _steps(self, content: bytes) -> list[tuple[Status, int, dict[str, Any]]]:
        if b"FAIL" in content or not text_of(content).strip():
            raise DocumentFailed(FailureCode.NO_TEXT_LAYER, "The document has pages but no text in them.")
        return [
            *((Status.PARSING, n, {"pagesDone": n, "pageCount": PAGES}) for n in range(PAGES + 1)),
            (Status.PARSED, 0, {"chunkCount": CHUNKS, "pageCount": PAGES, "tokenCount": 700}),
            *((Status.EMBEDDING, n, {"embeddedCount": n, "chunkCount": CHUNKS}) for n in range(0, CHUNKS, 4)),
            (Status.EMBEDDED, 0, {"embeddingCount": CHUNKS, "embeddedCount": CHUNKS, "chunkCount": CHUNKS}),
        ]

    def is_done(self, document_id: str) -> bool:
        """Whether the document reached its end."""
        return self.by_id[document_id]["status"] in TERMINAL
