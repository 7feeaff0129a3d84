"""One report on its way: what is sent, and what an answer means."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
from standardwebhooks.webhooks import Webhook as Signature

from stagecast_client.failures import NotDelivered
from stagecast_client.retrying import passes, pause, retry_after

PATH = "/api/v1/events/webhook/document-processing"
MAX_MESSAGE_CHARACTERS = 2000


@dataclass(frozen=True)
class Credentials:
    """The producer's secret, and whether it signs or is shown."""

    secret: str = field(repr=False)
    signs: bool = True

    def headers(self, message_id: str, body: bytes) -> dict[str, str]:
        """The headers that make the server believe the body; a signature is of this moment."""
        headers = {"Content-Type": "application/json", "webhook-id": message_id}
        if not self.signs:
            return {**headers, "X-Webhook-Key": self.secret}
        now = datetime.now(UTC)
        signature = self._signature().sign(message_id, now, body.decode())
        return {**headers, "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}

    def _signature(self) -> Signature:
        is_encoded = self.secret.startswith("whsec_")
        return Signature(self.secret if is_encoded else self.secret.encode())


@dataclass
class Report:
    """A report and how its delivery goes. The ``webhook-id`` is the same for every try."""

    body: bytes
    credentials: Credentials
    gives_up_at: float
    message_id: str = field(default_factory=lambda: f"msg_{uuid4().hex}")
    failures: int = 0

    def headers(self) -> dict[str, str]:
        """The headers of the next try."""
        return self.credentials.headers(self.message_id, self.body)

    def event_id(self, response: httpx.Response) -> str | None:
        """The id of the event that was made; None where it is worth trying again. Raises NotDelivered."""
        if response.status_code == 202:
            return str(_object(response).get("eventId", ""))
        if passes(response.status_code):
            return None
        raise NotDelivered(_reason(response), response.status_code)

    def pause(self, outcome: httpx.Response | httpx.TransportError) -> float:
        """Seconds to wait before the next try; raises NotDelivered when patience does not reach so far."""
        self.failures += 1
        answer = outcome if isinstance(outcome, httpx.Response) else None
        seconds = pause(self.failures, retry_after(answer.headers) if answer is not None else 0.0)
        if time.monotonic() + seconds < self.gives_up_at:
            return seconds
        if answer is not None:
            raise NotDelivered(_reason(answer), answer.status_code)
        raise NotDelivered(f"no answer: {type(outcome).__name__}")


def encode_report(
    document_id: str,
    status: str,
    message: str,
    metadata: Mapping[str, Any] | None,
    owner_id: str | None,
) -> bytes:
    """The body; raises TypeError or ValueError for metadata that is no JSON."""
    report: dict[str, Any] = {
        "documentId": document_id,
        "status": status,
        "message": message[:MAX_MESSAGE_CHARACTERS],
        "metadata": dict(metadata or {}),
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    if owner_id is not None:
        report["ownerId"] = owner_id
    return json.dumps(report, allow_nan=False).encode()


def _reason(response: httpx.Response) -> str:
    problem = _object(response)
    return str(problem.get("detail") or problem.get("title") or f"status {response.status_code}")


def _object(response: httpx.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
