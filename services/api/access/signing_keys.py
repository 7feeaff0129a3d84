"""The keys that an issuer publishes (RFC 7517): fetched once for all callers, bounded in time, size and rate.

PyJWT has a client for this, but it blocks, fetches again for each caller while the issuer is away, and reads
answers of any size.
"""

import asyncio
import json
from collections.abc import Callable
from time import monotonic

import httpx
import jwt

from contracts.failures import StagecastError
from services.runtime.errors import Unavailable
from services.runtime.process.logging import get_logger

ALGORITHMS = frozenset({"RS256", "ES256"})
FRESH_SECONDS = 300.0
STALE_SECONDS = 24 * 3600.0
"""Known keys are believed so long while the issuer does not answer."""
COOLDOWN_SECONDS = 10.0
"""Between two fetches, whatever key ids are asked for and however the last one ended."""
FETCH_SECONDS = 5.0
MAX_BYTES = 256 * 1024

_REFUSED = (httpx.HTTPError, TimeoutError, ValueError, TypeError, RecursionError, jwt.PyJWTError)

log = get_logger(__name__)


class UnknownKey(StagecastError):
    """The issuer publishes no such key."""


class SigningKeys:
    """The public keys behind a URL, by their ids."""

    def __init__(
        self,
        url: str,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._url = url
        # Redirects are not followed: the operator named the place.
        self._http = httpx.AsyncClient(timeout=FETCH_SECONDS, follow_redirects=False, transport=transport)
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._fetching = asyncio.Lock()

    async def find(self, key_id: str) -> jwt.PyJWK:
        """Return the key of that id; raises UnknownKey, or Unavailable while no keys could be had at all."""
        if self._age() > FRESH_SECONDS or key_id not in self._keys:
            await self._refresh(key_id)
        if self._age() > STALE_SECONDS:
            raise Unavailable("issuer of tokens", "its keys could not be fetched")
        try:
            return self._keys[key_id]
        except KeyError as error:
            raise UnknownKey from error

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def _age(self) -> float:
        return self._clock() - self._fetched_at

    async def _refresh(self, key_id: str) -> None:
        async with self._fetching:
            is_answered = self._age() <= FRESH_SECONDS and key_id in self._keys
            if is_answered or self._clock() - self._tried_at < COOLDOWN_SECONDS:
                return
            self._tried_at = self._clock()
            try:
                async with asyncio.timeout(FETCH_SECONDS):
                    self._keys = _usable(await self._fetch())
            except _REFUSED as error:
                log.warning("signing_keys_unavailable", reason=type(error).__name__)
                return
            self._fetched_at = self._clock()

    async def _fetch(self) -> jwt.PyJWKSet:
        body = bytearray()
        async with self._http.stream("GET", self._url, headers={"Accept": "application/json"}) as response:
            if response.status_code != 200:
                raise ValueError(f"status {response.status_code}")
            async for part in response.aiter_bytes():
                body += part
                if len(body) > MAX_BYTES:
                    raise ValueError("too large")
        published = json.loads(body)
        if not isinstance(published, dict):
            raise TypeError("no JSON object")
        return jwt.PyJWKSet.from_dict(published)


def _usable(published: jwt.PyJWKSet) -> dict[str, jwt.PyJWK]:
    """Keep public keys of our algorithms only: a symmetric one in the set would be a secret that all know."""
    keys = {
        key.key_id: key
        for key in published.keys
        if key.key_id and key.algorithm_name in ALGORITHMS and key.public_key_use in {"sig", None}
    }
    if not keys:
        raise ValueError("no key for signatures")
    return keys
