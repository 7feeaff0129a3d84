"""Who sends a webhook message: known by a key, or by a Standard Webhooks signature over the body.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from standardwebhooks.webhooks import Webhook as Signature
from standardwebhooks.webhooks import WebhookVerificationError

from services.api.access.access_settings import AccessSettings, secret_bytes
from services.api.http.problems import Problem

MAX_SIGNATURES = 8
"""In one header; each is tried with each secret."""


@dataclass(frozen=True)
class Producer:
    """An external producer; ``owners`` is None for one who may report for all."""

    name: str
    key_digests: tuple[bytes, ...]
    signatures: tuple[Signature, ...]
    owners: frozenset[str] | None = None


@dataclass(frozen=True)
class Producers:
    """All who may report, with their live secrets."""

    known: tuple[Producer, ...]
    requires_signature: bool = False

    @classmethod
    def of(cls, settings: AccessSettings) -> "Producers":
        """The producers that the settings name."""
        owners = settings.producer_owners
        known = tuple(
            Producer(
                name,
                tuple(_digest(key) for key in keys),
                tuple(Signature(secret_bytes(key)) for key in keys),
                owners.get(name),
            )
            for name, keys in settings.producer_keys.items()
        )
        return cls(known, settings.webhook_require_signature)

    def by_key(self, headers: Mapping[str, str]) -> Producer | None:
        """The producer of ``X-Webhook-Key``; None where a signature has to tell. Raises Problem 401."""
        if headers.get("webhook-signature"):
            return None
        key = headers.get("x-webhook-key")
        if not key or self.requires_signature:
            raise _refused()
        given, found = _digest(key), None
        # All are compared, as digests of one length and in constant time, whichever of them matches.
        for producer in self.known:
            for live in producer.key_digests:
                if hmac.compare_digest(given, live):
                    found = producer
        if found is None:
            raise _refused()
        return found

    def by_signature(self, headers: Mapping[str, str], body: bytes) -> Producer:
        """The producer whose secret signed id, timestamp and body; raises Problem 401.

        A key beside a wrong signature is no help: whoever signs relies on it that nothing else is believed.
        """
        signatures = headers.get("webhook-signature", "").split(" ")
        if len(signatures) > MAX_SIGNATURES:
            raise _refused()
        found = None
        for producer in self.known:
            for secret in producer.signatures:
                # One by one: a malformed one beside a good one makes the verifier raise for both.
                if any(_verifies(secret, headers, signature, body) for signature in signatures):
                    found = producer
        if found is None:
            raise _refused()
        return found


def _verifies(secret: Signature, headers: Mapping[str, str], signature: str, body: bytes) -> bool:
    signed = {
        "webhook-id": headers.get("webhook-id", ""),
        "webhook-timestamp": headers.get("webhook-timestamp", ""),
        "webhook-signature": signature,
    }
    try:
        secret.verify(body, signed, json_parse=False)
    except (WebhookVerificationError, ValueError, binascii.Error, UnicodeError):
        # The reference verifier raises the last three on malformed signatures and bodies.
        return False
    return True


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _refused() -> Problem:
    return Problem(401, "The webhook key or signature is missing or wrong.")
