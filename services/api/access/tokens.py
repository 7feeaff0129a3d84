"""Reads a bearer token: a JWT whose ``sub`` is the owner. We choose the algorithm, not the token."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

import jwt

from contracts.failures import StagecastError
from services.api.access.access_settings import AccessSettings
from services.api.access.signing_keys import SigningKeys, UnknownKey
from services.runtime.process.logging import get_logger

MAX_TOKEN_CHARACTERS = 8192
MAX_OWNER_CHARACTERS = 256
ADMIN = "admin"
SAFE_SECRET_BYTES = 32
"""RFC 7518, 3.2: a key for HS256 has at least as many bits as its hash."""

log = get_logger(__name__)

# Before anything is decoded: what is not three parts of base64url is no token.
_SHAPE = re.compile(r"[A-Za-z0-9_-]{1,4096}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{1,4096}")


class InvalidToken(StagecastError):
    """A token that is not valid; the reason is for the log, not for the caller."""


@dataclass(frozen=True)
class Claims:
    """The claims of a valid token; ``expires_at`` is None for one without ``exp``."""

    owner_id: str
    scopes: frozenset[str]
    expires_at: datetime | None


class Tokens(Protocol):
    """Tells valid tokens from others."""

    async def read(self, token: str) -> Claims:
        """Return the claims of a valid token; raises InvalidToken, or Unavailable when that can't be known now."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


@dataclass(frozen=True)
class Rules:
    """Rules for a token beside its signature: RFC 7519, 4.1."""

    audience: str | None
    issuer: str | None
    leeway_seconds: float
    allows_unlimited: bool = False
    """Tokens without ``exp``, which are good until their key is changed."""
    refuses_short_keys: bool = True
    """Of published keys; of a shared secret the start has warned already."""

    def check(self, token: str, key: Any, algorithm: str) -> Claims:
        """Verify signature, ``exp``, ``nbf``, ``aud`` and ``iss``; raises InvalidToken.

        Without an audience of our own a token that names one is refused: it was meant for somebody else.
        """
        try:
            payload = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=self.audience,
                issuer=self.issuer,
                leeway=self.leeway_seconds,
                options={
                    "require": ["sub"] if self.allows_unlimited else ["sub", "exp"],
                    "enforce_minimum_key_length": self.refuses_short_keys,
                },
            )
        except jwt.PyJWTError as error:
            raise InvalidToken(type(error).__name__) from error
        return self._claims(payload)

    def _claims(self, payload: dict[str, Any]) -> Claims:
        owner_id = payload["sub"]
        if not owner_id or len(owner_id) > MAX_OWNER_CHARACTERS or not owner_id.isprintable():
            raise InvalidToken("sub can't be an owner")
        try:
            # Accepted so long, so that the stream of a token that was just accepted is not closed at once.
            expires_at = datetime.fromtimestamp(float(payload["exp"]) + self.leeway_seconds, UTC)
        except KeyError:
            expires_at = None
        except (TypeError, ValueError, OverflowError, OSError) as error:
            raise InvalidToken("exp is no moment") from error
        return Claims(owner_id, _scopes(payload.get("scope")), expires_at)


@dataclass(frozen=True)
class SharedSecretTokens:
    """Tokens signed with HS256."""

    secret: bytes
    rules: Rules

    async def read(self, token: str) -> Claims:
        """See Tokens."""
        _check_shape(token)
        return self.rules.check(token, self.secret, "HS256")

    async def close(self) -> None:
        """Do nothing: no connection is open."""


@dataclass(frozen=True)
class PublishedKeyTokens:
    """Tokens signed with RS256 or ES256 by a key of a JWKS."""

    keys: SigningKeys
    rules: Rules

    async def read(self, token: str) -> Claims:
        """See Tokens."""
        _check_shape(token)
        try:
            key_id = jwt.get_unverified_header(token).get("kid")
        except jwt.PyJWTError as error:
            raise InvalidToken(type(error).__name__) from error
        # A name to compare with, and nothing else; where keys come from (jku, x5u, jwk) is not the token's to say.
        if not isinstance(key_id, str):
            raise InvalidToken("no kid")
        try:
            key = await self.keys.find(key_id)
        except UnknownKey as error:
            raise InvalidToken("unknown kid") from error
        return self.rules.check(token, key, key.algorithm_name)

    async def close(self) -> None:
        """Close the connections to the JWKS."""
        await self.keys.close()


def create_tokens(settings: AccessSettings) -> Tokens | None:
    """Return the reader of tokens that the settings ask for; None where they ask for none."""
    rules = Rules(
        settings.auth_jwt_audience,
        settings.auth_jwt_issuer,
        settings.auth_leeway_seconds,
        settings.auth_allow_unlimited_tokens,
    )
    if settings.auth_jwt_secret:
        if len(settings.auth_jwt_secret.encode()) < SAFE_SECRET_BYTES:
            # It can be found by trying, from one token. Not refused, because those who run this can't always change
            # an issuer's secret.
            log.warning("jwt_secret_short", least_bytes=SAFE_SECRET_BYTES)
        return SharedSecretTokens(settings.auth_jwt_secret.encode(), replace(rules, refuses_short_keys=False))
    if settings.auth_jwks_url:
        return PublishedKeyTokens(SigningKeys(settings.auth_jwks_url), rules)
    return None


def _check_shape(token: str) -> None:
    if len(token) > MAX_TOKEN_CHARACTERS or not _SHAPE.fullmatch(token):
        raise InvalidToken("no JWT")


def _scopes(scope: object) -> frozenset[str]:
    """RFC 8693: words with spaces between; some issuers write a list."""
    if isinstance(scope, str):
        return frozenset(scope.split(" "))
    if isinstance(scope, list):
        return frozenset(word for word in scope if isinstance(word, str))
    return frozenset()
