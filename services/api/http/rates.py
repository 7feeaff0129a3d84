"""Rates at which one address, user or producer may ask.

throttled-py: GCRA, which has no windows whose edges let twice as many through; in memory its table is bounded
(least recently used), so that an attacker with many addresses makes it neither large nor slow; and in Redis
a decision is one script, the same for all replicas.
"""

import asyncio
import ipaddress
import math
from collections.abc import MutableMapping
from time import monotonic
from typing import Any

from throttled.asyncio import RateLimiterType, Throttled
from throttled.asyncio.store import BaseStore, MemoryStore, RedisStore
from throttled.exceptions import StoreUnavailableError

from services.api.access.access_settings import AccessSettings
from services.api.refusals import TooManyRequests
from services.runtime.process.logging import get_logger

ADDRESS, USER, PRODUCER = "address", "user", "producer"
TRACKED = 100_000
"""Addresses, users and producers remembered in memory."""
STORE_SECONDS = 0.5
STORE_ERRORS = (StoreUnavailableError, OSError, TimeoutError)
"""Of a store that is away; anything else is a bug, which must not lift the limits."""
QUIET_SECONDS = 30.0
SPENT = "stagecast.rates"
"""The key in a request's scope of the states of its buckets, for the headers of its answer."""

Scope = MutableMapping[str, Any]

log = get_logger(__name__)


class Rates:
    """One bucket per address, user and producer."""

    def __init__(self, settings: AccessSettings) -> None:
        store = _store(settings.rate_store_url)
        self._quotas = {
            ADDRESS: settings.rate_per_address,
            USER: settings.rate_per_user,
            PRODUCER: settings.rate_per_producer,
        }
        self._buckets = {
            kind: Throttled(
                using=RateLimiterType.GCRA.value, quota=quota, store=store, key_prefix=f"stagecast:{kind}"
            )
            for kind, quota in self._quotas.items()
        }
        self._quiet_until = 0.0

    async def count(self, scope: Scope, kind: str, key: str) -> None:
        """Count a request against a bucket; raises TooManyRequests when it is empty.

        While a shared store is away everybody passes: better than that nobody does.
        """
        if monotonic() < self._quiet_until:
            return
        try:
            async with asyncio.timeout(STORE_SECONDS):
                result = await self._buckets[kind].limit(key or "-")
        except STORE_ERRORS as error:
            self._quiet_until = monotonic() + QUIET_SECONDS
            log.warning("rate_store_unavailable", reason=type(error).__name__)
            return
        state = result.state
        window = _window(self._quotas[kind])
        scope.setdefault(SPENT, []).append((kind, state.limit, window, state.remaining, state.reset_after))
        if result.limited:
            raise TooManyRequests(retry_after=max(1, math.ceil(state.retry_after)))


def rate_headers(scope: Scope) -> list[tuple[bytes, bytes]]:
    """Return what was counted as ``RateLimit`` and its policy (draft-ietf-httpapi-ratelimit-headers-10)."""
    spent = scope.get(SPENT)
    if not spent:
        return []
    policy = ", ".join(f'"{kind}";q={limit};w={window}' for kind, limit, window, _, _ in spent)
    state = ", ".join(f'"{kind}";r={max(0, left)};t={math.ceil(reset)}' for kind, _, _, left, reset in spent)
    return [(b"ratelimit-policy", policy.encode()), (b"ratelimit", state.encode())]


def address_key(host: str | None) -> str:
    """Return the key of an address: of IPv6 the first 64 bits, since a single machine has all of the others."""
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return "-"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False).network_address)
    return str(address)


_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


def _window(quota: str) -> int:
    return _SECONDS[quota.split("/")[1].split(" ")[0]]


def _store(url: str) -> BaseStore:
    if url == "memory://":
        return MemoryStore(options={"MAX_SIZE": TRACKED})
    timeouts = {"socket_timeout": STORE_SECONDS, "socket_connect_timeout": STORE_SECONDS}
    return RedisStore(server=url, options={"CONNECTION_POOL_KWARGS": timeouts})
