"""Rates: buckets, their headers, what counts as one address, and a store that is away."""

from typing import Any

import pytest

from services.api.access.access_settings import AccessSettings
from services.api.http.rates import ADDRESS, TRACKED, USER, Rates, address_key, rate_headers
from services.api.refusals import TooManyRequests

pytestmark = pytest.mark.anyio


async def test_a_bucket_that_is_empty_refuses_and_the_next_one_does_not() -> None:
    rates = Rates(AccessSettings(rate_per_user="2/minute"))
    scope: dict[str, Any] = {}

    await rates.count(scope, USER, "alice")
    await rates.count(scope, USER, "alice")
    with pytest.raises(TooManyRequests) as refusal:
        await rates.count(scope, USER, "alice")
    await rates.count(scope, USER, "bob")
    await rates.count(scope, ADDRESS, "alice")

    assert refusal.value.status == 429
    assert refusal.value.retry_after == 30


async def test_the_headers_tell_each_bucket_that_was_counted() -> None:
    rates = Rates(AccessSettings(rate_per_address="100/minute burst 20", rate_per_user="7/hour"))
    scope: dict[str, Any] = {}
    await rates.count(scope, ADDRESS, "10.0.0.1")
    await rates.count(scope, USER, "alice")

    assert dict(rate_headers(scope)) == {
        b"ratelimit-policy": b'"address";q=20;w=60, "user";q=7;w=3600',
        b"ratelimit": b'"address";r=19;t=1, "user";r=6;t=515',
    }
    assert rate_headers({}) == []


async def test_many_addresses_make_the_table_no_larger() -> None:
    rates = Rates(AccessSettings())
    store: Any = rates._buckets[ADDRESS]._store._backend
    assert store.max_size == TRACKED
    store.max_size = 100
    for number in range(1000):
        await rates.count({}, ADDRESS, str(number))

    assert len(store.get_client()) == 100


async def test_while_a_shared_store_is_away_everybody_passes() -> None:
    rates = Rates(AccessSettings(rate_store_url="redis://127.0.0.1:1/0", rate_per_user="1/day"))

    for _ in range(3):
        await rates.count({}, USER, "alice")


class BrokenBucket:
    """A limiter with a bug in it."""

    async def limit(self, key: str) -> None:
        raise AttributeError(key)


@pytest.mark.parametrize("store", ["memory://", "redis://127.0.0.1:1/0"])
async def test_a_bug_is_no_store_that_is_away_and_lifts_no_limit(store: str) -> None:
    rates: Any = Rates(AccessSettings(rate_store_url=store))
    rates._buckets[USER] = BrokenBucket()

    for _ in range(2):
        with pytest.raises(AttributeError):
            await rates.count({}, USER, "alice")


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        (None, "-"),
        ("a socket", "-"),
    ],
)
def test_what_counts_as_one_address(host: str | None, key: str) -> None:
    assert address_key(host) == key
