"""Senders of webhook messages, known by a key, or by a Standard Webhooks signature over the body.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md, over the bytes: the
reference verifier reads a body as text, and takes one that is no UTF-8 for one with a wrong signature.
"""

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from services.api.access.access_settings import AccessSettings, secret_bytes
from services.api.refusals import Unauthenticated

MAX_SIGNATURES = 8
"""In one header; each is tried with each secret."""
TOLERANCE_SECONDS = 300
"""Between the time that was signed and now."""

_TIMESTAMP = re.compile(r"[0-9]{1,12}")


class UnknownProducer(Unauthenticated):
    """A key or a signature that is missing or wrong; the answer does not say which."""

    detail = "The webhook key or signature is missing or wrong."
    headers: Mapping[str, str] = {}


@dataclass(frozen=True)
class Producer:
    """An external producer; ``owners`` is None for one who may report for all."""

    name: str
    key_digests: tuple[bytes, ...]
    secrets: tuple[bytes, ...]
    owners: frozenset[str] | None = None


@dataclass(frozen=True)
class Producers:
    """All who may report, with their live secrets."""

    known: tuple[Producer, ...]
    requires_signature: bool = False

    @classmethod
    def of(cls, settings: AccessSettings) -> "Producers":
        """Return the producers that the settings name."""
        owners = settings.producer_owners
        known = tuple(
            Producer(
                name,
                tuple(_digest(key) for key in keys),
                tuple(secret_bytes(key) for key in keys),
                owners.get(name),
            )
            for name, keys in settings.producer_keys.items()
        )
        return cls(known, settings.webhook_require_signature)

    def by_key(self, headers: Mapping[str, str]) -> Producer | None:
        """Return the producer of ``X-Webhook-Key``; None where a signature has to tell. Raises UnknownProducer."""
        if headers.get("webhook-signature"):
            return None
        key = headers.get("x-webhook-key")
        if not key or self.requires_signature:
            raise UnknownProducer
        given, found = _digest(key), None
        # All are compared, as digests of one length and in constant time, whichever of them matches.
        for producer in self.known:
            for live in producer.key_digests:
                if hmac.compare_digest(given, live):
                    found = producer
        if found is None:
            raise UnknownProducer
        return found

    def by_signature(self, headers: Mapping[str, str], body: bytes) -> Producer:
        """Return the producer whose secret signed id, timestamp and body; raises UnknownProducer.

        A key beside a wrong signature is no help: whoever signs relies on it that nothing else is believed.
        """
        given = _signatures(headers.get("webhook-signature", ""))
        signed = _signed_bytes(headers, body)
        found = None
        for producer in self.known:
            for secret in producer.secrets:
                expected = hmac.digest(secret, signed, "sha256")
                # All are compared, in constant time, whichever of them matches.
                for signature in given:
                    if hmac.compare_digest(expected, signature):
                        found = producer
        if found is None:
            raise UnknownProducer
        return found


def _signatures(header: str) -> list[bytes]:
    """The signatures in a header; malformed ones, and those of other versions, count as none."""
    versioned = header.split(" ")
    if len(versioned) > MAX_SIGNATURES:
        raise UnknownProducer
    found = []
    for version, _, encoded in (one.partition(",") for one in versioned):
        with suppress(ValueError):  # binascii's error is one, and what is no ASCII another
            found += [base64.b64decode(encoded, validate=True)] if version == "v1" else []
    return found


def _signed_bytes(headers: Mapping[str, str], body: bytes) -> bytes:
    """Id, timestamp and body as they were sent; raises UnknownProducer for a time that is none, or too far off."""
    timestamp = headers.get("webhook-timestamp", "")
    if not _TIMESTAMP.fullmatch(timestamp) or abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS:
        raise UnknownProducer
    if not (message_id := headers.get("webhook-id")):
        raise UnknownProducer
    return b".".join((message_id.encode("latin-1"), timestamp.encode(), body))


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
