"""One report on its way: its body, its headers, and the meaning of an answer."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
from standardwebhooks.webhooks import Webhook as Signature

from stagecast_client.answers import json_object, refusal
from stagecast_client.failures import NotDelivered, Refused, StagecastError
from stagecast_client.retrying import pause

PATH = "/api/v1/events/webhook/document-processing"
MAX_MESSAGE_CHARACTERS = 2000


@dataclass(frozen=True)
class Credentials:
    """The producer's secret, and whether it signs or is shown."""

    secret: str = field(repr=False)
    signs: bool = True

    def headers(self, message_id: str, body: bytes) -> dict[str, str]:
        """Return the headers that make the server believe the body; a signature is of this moment."""
        headers = {"Content-Type": "application/json", "webhook-id": message_id}
        if not self.signs:
            return {**headers, "X-Webhook-Key": self.secret}
        now = datetime.now(UTC)
        signature = self._signature().sign(message_id, now, body.decode())
        return {**headers, "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}

    def _signature(self) -> Signature:
        is_encoded = self.secret.startswith("whsec_")
        return Signature(self.secret if is_encoded else self.secret.encode())


@dataclass(frozen=True)
class Report:
    """A status to report on a document; ``message`` is a sentence for people."""

    document_id: str
    status: str
    message: str
    metadata: Mapping[str, Any] | None
    owner_id: str | None

    def encode(self) -> bytes:
        """Return the body; raises TypeError or ValueError for metadata that is no JSON."""
        body: dict[str, Any] = {
            "documentId": self.document_id,
            "status": self.status,
            "message": self.message[:MAX_MESSAGE_CHARACTERS],
            "metadata": dict(self.metadata or {}),
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        if self.owner_id is not None:
            body["ownerId"] = self.owner_id
        return json.dumps(body, allow_nan=False).encode()


@dataclass
class Delivery:
    """The delivery of one body. The ``webhook-id`` is the same for every try."""

    body: bytes
    credentials: Credentials
    gives_up_at: float
    message_id: str = field(default_factory=lambda: f"msg_{uuid4().hex}")
    failures: int = 0

    def headers(self) -> dict[str, str]:
        """Return the headers of the next try."""
        return self.credentials.headers(self.message_id, self.body)

    def event_id(self, answer: httpx.Response) -> str:
        """Return the id of the event that was made; raises Refused where none was."""
        if answer.status_code == 202:
            return str(json_object(answer).get("eventId", ""))
        raise refusal(answer)

    def pause(self, error: StagecastError) -> float:
        """Return the seconds to wait before the next try; raises NotDelivered where there is none."""
        self.failures += 1
        seconds = pause(self.failures, error.retry_after)
        if error.passes and time.monotonic() + seconds < self.gives_up_at:
            return seconds
        status = error.status if isinstance(error, Refused) else None
        raise NotDelivered(str(error), status, error.passes, error.retry_after) from error
