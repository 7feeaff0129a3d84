"""The settings of who gets in: tokens, producers' signatures, rates, other origins."""

import base64
import binascii
import json
import re
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings

from services.api.http.allowed_hosts import ANY, parse_host

SECRET_PREFIX = "whsec_"  # noqa: S105 - the mark of a Standard Webhooks secret, not one

Rate = Annotated[str, StringConstraints(pattern=r"^[1-9]\d*/(second|minute|hour|day)( burst [1-9]\d*)?$")]
_OWNERS = TypeAdapter(dict[str, frozenset[str]])


class AccessSettings(BaseSettings):
    """The part of the API's settings that tells callers apart. Secrets are kept out of ``repr``."""

    auth_disabled: bool = False
    auth_jwt_secret: str | None = Field(default=None, repr=False)
    auth_jwks_url: str | None = None
    auth_jwt_audience: str | None = None
    auth_jwt_issuer: str | None = None
    auth_leeway_seconds: float = Field(default=30, ge=0, le=300)
    auth_allow_unlimited_tokens: bool = False

    internal_api_key: str = Field(default="", repr=False)
    webhook_require_signature: bool = False
    webhook_producer_owners: str = ""

    rate_per_address: Rate = "30000/minute"
    rate_per_user: Rate = "6000/minute"
    rate_per_producer: Rate = "6000/minute"
    rate_store_url: str = Field(default="memory://", repr=False)

    allowed_hosts: str = ""
    cors_origins: str = ""
    trusted_proxies: str = ""
    body_seconds: float = Field(default=20, gt=0)
    request_seconds: float = Field(default=30, gt=0)

    @field_validator("auth_jwks_url")
    @classmethod
    def _is_http(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("https://", "http://")):
            raise ValueError("must begin with https:// or http://")
        return url

    @field_validator("rate_store_url")
    @classmethod
    def _is_rate_store(cls, url: str) -> str:
        if url != "memory://" and not url.startswith(("redis://", "rediss://")):
            raise ValueError("must be memory:// or begin with redis:// or rediss://")
        return url

    @field_validator("internal_api_key")
    @classmethod
    def _names_producers(cls, text: str) -> str:
        for keys in parse_producer_keys(text).values():
            for key in keys:
                secret_bytes(key)
        return text

    @field_validator("webhook_producer_owners")
    @classmethod
    def _names_owners(cls, text: str) -> str:
        parse_owners(text)
        return text

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, text: str) -> str:
        for origin in _listed(text):
            parts = urlsplit(origin)
            if parts.scheme not in {"http", "https"} or origin != f"{parts.scheme}://{parts.netloc}".lower():
                # An asterisk among them: browsers refuse it together with cookies, and so do we.
                raise ValueError("must be origins such as https://app.example.org, separated by commas")
        return text

    @field_validator("allowed_hosts")
    @classmethod
    def _are_hosts(cls, text: str) -> str:
        for name in _listed(text):
            has_port = ":" in name.rpartition("]")[2]
            if name != ANY and (has_port or parse_host(name.encode()) is None):
                raise ValueError("must be names without ports, separated by commas, or *")
        return text

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if self.auth_jwt_secret and self.auth_jwks_url:
            # Which of the two a token is checked with would be the token's choice.
            raise ValueError("AUTH_JWT_SECRET and AUTH_JWKS_URL exclude each other")
        if unknown := self.producer_owners.keys() - self.producer_keys.keys():
            raise ValueError(f"WEBHOOK_PRODUCER_OWNERS names {min(unknown)}, who has no key")
        return self

    @property
    def asks_for_tokens(self) -> bool:
        """True when callers must show who they are; else there is one local user."""
        return bool(self.auth_jwt_secret or self.auth_jwks_url)

    @property
    def allowed_origins(self) -> tuple[str, ...]:
        """Other origins whose pages may call the API, with the caller's cookie."""
        return _listed(self.cors_origins)

    @property
    def host_names(self) -> tuple[str, ...]:
        """The names that requests may be for; empty where the default holds."""
        return tuple(parse_host(name.encode()) or name for name in _listed(self.allowed_hosts))

    @property
    def producer_keys(self) -> dict[str, tuple[str, ...]]:
        """The live keys of each webhook producer, by its name."""
        return parse_producer_keys(self.internal_api_key)

    @property
    def producer_owners(self) -> dict[str, frozenset[str]]:
        """The owners that a producer may report for; one who is not named may report for all."""
        return parse_owners(self.webhook_producer_owners)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (part.strip() for part in text.split(","))))


def parse_producer_keys(text: str) -> dict[str, tuple[str, ...]]:
    """Read ``name=key,name=key,key``; a bare key belongs to the producer ``internal``.

    A producer may have two live keys, so that they can be rotated. Raises ValueError.
    """
    keys: dict[str, tuple[str, ...]] = {}
    for entry in _listed(text):
        name, separator, key = entry.partition("=")
        if not separator or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) or not key.strip("="):
            name, key = "internal", entry
        keys[name] = (*keys.get(name, ()), key)
        if len(keys[name]) > 2:
            raise ValueError(f"the producer {name} has more than two keys")
    return keys


def secret_bytes(key: str) -> bytes:
    """The secret that a key signs with: the base64 after ``whsec_``, or else the key's own UTF-8 bytes.

    Raises ValueError for a ``whsec_`` key that is no base64; the message does not hold the key.
    """
    if not key.startswith(SECRET_PREFIX):
        return key.encode()
    encoded = key.removeprefix(SECRET_PREFIX).rstrip("=")
    try:
        secret = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except binascii.Error:
        secret = b""
    if not secret:
        raise ValueError("a key that begins with whsec_ must go on with base64")
    return secret


def parse_owners(text: str) -> dict[str, frozenset[str]]:
    """Read ``{"producer": ["owner", …], …}``; raises ValueError."""
    try:
        return _OWNERS.validate_python(json.loads(text)) if text else {}
    except (ValidationError, ValueError) as error:
        raise ValueError('must be JSON such as {"producer": ["owner", "owner"]}') from error
