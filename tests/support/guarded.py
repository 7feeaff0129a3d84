"""An API that asks for tokens, as attackers and owners meet it."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import jwt
import psycopg

from tests.support.system import System, plain_client

SECRET = "planted-jwt-secret-0123456789abcdef"
AUDIENCE = "stagecast"
KEY = "planted-webhook-key"
OLD_KEY = "planted-older-webhook-key"
SIGNING_SECRET = "whsec_cGxhbnRlZC1zaWduaW5nLXNlY3JldC0wMTIzNDU2Nzg5"
LIMITED_KEY = "planted-limited-key"
PLANTED = (SECRET, KEY, OLD_KEY, SIGNING_SECRET, SIGNING_SECRET.removeprefix("whsec_"), LIMITED_KEY)
WEBHOOK = "/api/v1/events/webhook/document-processing"

SETTINGS = {
    "AUTH_JWT_SECRET": SECRET,
    "AUTH_JWT_AUDIENCE": AUDIENCE,
    "AUTH_LEEWAY_SECONDS": "2",
    "INTERNAL_API_KEY": f"{KEY},{OLD_KEY},acme={SIGNING_SECRET},limited={LIMITED_KEY}",
    "WEBHOOK_PRODUCER_OWNERS": json.dumps({"limited": ["alice"]}),
    "CORS_ORIGINS": "https://app.example.org",
    "BODY_SECONDS": "1",
    "HEARTBEAT_SECONDS": "2",
    "LOG_LEVEL": "debug",
}


def token(subject: str = "alice", /, *, secret: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    """A token of ``subject`` for an hour; a claim that is None is left out."""
    payload = {"sub": subject, "aud": AUDIENCE, "exp": int(time.time()) + 3600, **claims}
    kept = {name: value for name, value in payload.items() if value is not None}
    return jwt.encode(kept, secret, algorithm=algorithm)


def bearer(subject: str = "alice", /, **claims: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(subject, **claims)}"}


@dataclass
class Guarded:
    """The API (``api``) and a replica of it (``api-2``) that has hardly any rate left."""

    system: System

    def client(self, name: str = "api", **headers: str) -> httpx.Client:
        url = f"http://127.0.0.1:{self.system.ports[name]}"
        return plain_client(url, headers=headers, timeout=15)

    def owned(self, owner: str | None, document_id: str, status: str = "embedding") -> str:
        """Plant a document of an owner, as an upload would have left it; its id."""
        with psycopg.connect(self.system.database_url) as connection:
            connection.execute(
                "INSERT INTO documents (document_id, owner_id, filename, file_type, size, sha256, created_at,"
                " attempted_at, commanded_at, status, status_attempt, updated_at)"
                " VALUES (%s, %s, 'secret.txt', 'text/plain', 5, %s, now(), now(), now(), %s, 1, now())",
                (document_id, owner, document_id, status),
            )
        return document_id

    def notify(self, key: str = KEY, **report: object) -> httpx.Response:
        with self.client() as client:
            return client.post(WEBHOOK, json=report, headers={"X-Webhook-Key": key})

    def logs(self) -> str:
        return "".join(self.system.log(name) for name in self.system.processes)


@contextmanager
def guarded_api(system: System) -> Iterator[Guarded]:
    """Start both; whoever made ``system`` stops them."""
    system.settings = dict(SETTINGS)
    system.start("api")
    system.settings |= {"RATE_PER_PRODUCER": "3/minute", "RATE_PER_ADDRESS": "600/minute burst 40"}
    system.settings |= {"RATE_PER_USER": "5/minute", "WEBHOOK_REQUIRE_SIGNATURE": "true"}
    system.start("api-2")
    yield Guarded(system)
