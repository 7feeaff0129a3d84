"""Tokens by published keys: what a JWKS may do to us, and how seldom it is asked."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from services.api.access.access_settings import AccessSettings
from services.api.access.signing_keys import (
    COOLDOWN_SECONDS,
    FRESH_SECONDS,
    MAX_BYTES,
    STALE_SECONDS,
    SigningKeys,
)
from services.api.access.tokens import (
    InvalidToken,
    PublishedKeyTokens,
    Rules,
    SharedSecretTokens,
    create_tokens,
)
from services.runtime.errors import Unavailable

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")]

RSA_KEY = rsa.generate_private_key(65537, 2048)
WEAK_KEY = rsa.generate_private_key(65537, 1024)  # noqa: S505 - that it is weak is the point
EC_KEY = ec.generate_private_key(ec.SECP256R1())
CLAIMS = {"sub": "alice", "exp": int(time.time()) + 3600}
RULES = Rules(audience=None, issuer=None, leeway_seconds=0)


def published(key_id: str = "1", key: rsa.RSAPrivateKey = RSA_KEY, **more: str) -> dict[str, Any]:
    return {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": key_id, **more}


def token(key: Any = RSA_KEY, algorithm: str = "RS256", key_id: Any = "1", **claims: Any) -> str:
    payload = {**CLAIMS, **claims}
    return jwt.encode(payload, key, algorithm, headers={"kid": key_id} if key_id is not None else None)


@dataclass
class Issuer:
    """Serves a JWKS, counts how often it was asked, and may be away."""

    keys: list[dict[str, Any]] = field(default_factory=lambda: [published()])
    answer: Callable[[], httpx.Response] | None = None
    asked: int = 0
    now: float = 1000.0

    def __post_init__(self) -> None:
        found = SigningKeys(
            "https://issuer/keys", transport=httpx.MockTransport(self._serve), clock=lambda: self.now
        )
        self.tokens = PublishedKeyTokens(found, RULES)

    def _serve(self, _: httpx.Request) -> httpx.Response:
        self.asked += 1
        return self.answer() if self.answer else httpx.Response(200, json={"keys": self.keys})


async def test_tokens_by_rsa_and_by_elliptic_curve_are_read() -> None:
    curve = {**ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True), "kid": "2", "alg": "ES256"}
    issuer = Issuer([published(alg="RS256"), curve])

    assert (await issuer.tokens.read(token())).owner_id == "alice"
    assert (await issuer.tokens.read(token(EC_KEY, "ES256", "2"))).owner_id == "alice"
    assert issuer.asked == 1


async def test_the_public_key_is_no_shared_secret() -> None:
    pem = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    as_secret = jwt.encode(CLAIMS, key=pem.replace(b"-----", b""), algorithm="HS256", headers={"kid": "1"})

    with pytest.raises(InvalidToken):
        await Issuer().tokens.read(as_secret)


async def test_a_symmetric_key_in_the_set_is_not_used() -> None:
    shared = {
        "kty": "oct",
        "k": "c2hhcmVkLWJ5LWFjY2lkZW50LTAxMjM0NTY3ODkwMTIzNDU2Nzg5",
        "kid": "1",
        "alg": "HS256",
    }
    forged = token("shared-by-accident-01234567890123456789", "HS256")

    with pytest.raises(InvalidToken):
        await Issuer([published("2"), shared]).tokens.read(forged)


@pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS256"])
async def test_the_algorithm_is_that_of_the_key(algorithm: str) -> None:
    with pytest.raises(InvalidToken):
        await Issuer([published(alg="RS256")]).tokens.read(token(algorithm=algorithm))


async def test_a_key_for_encryption_and_a_weak_key_are_not_used() -> None:
    with pytest.raises(InvalidToken):
        await Issuer([published("2"), published(use="enc")]).tokens.read(token())
    with pytest.raises(InvalidToken):
        await Issuer([published(key=WEAK_KEY)]).tokens.read(token(WEAK_KEY))


@pytest.mark.parametrize("key_id", [None, "2", "../1", "1\x00", "' OR 1=1", "https://evil.example/keys"])
async def test_a_key_id_is_a_name_and_nothing_else(key_id: str | None) -> None:
    with pytest.raises(InvalidToken):
        await Issuer().tokens.read(token(key_id=key_id))


async def test_an_unknown_key_id_fetches_the_keys_again_but_seldom() -> None:
    issuer = Issuer()
    await issuer.tokens.read(token())
    issuer.keys = [published("2")]

    for number in range(50):
        with pytest.raises(InvalidToken):
            await issuer.tokens.read(token(key_id=f"guess-{number}"))
    assert issuer.asked == 1, "the last fetch was just now"
    issuer.now += COOLDOWN_SECONDS
    assert (await issuer.tokens.read(token(key_id="2"))).owner_id == "alice"
    with pytest.raises(InvalidToken):
        await issuer.tokens.read(token(key_id="1"))
    assert issuer.asked == 2


async def test_while_the_issuer_is_away_known_keys_count_and_it_is_asked_seldom() -> None:
    issuer = Issuer()
    await issuer.tokens.read(token())
    issuer.answer = lambda: httpx.Response(503)
    issuer.now += FRESH_SECONDS + 1

    for _ in range(20):
        assert (await issuer.tokens.read(token())).owner_id == "alice"
    assert issuer.asked == 2
    issuer.now += STALE_SECONDS
    with pytest.raises(Unavailable):
        await issuer.tokens.read(token())


BAD_ANSWERS = [
    httpx.Response(404),
    httpx.Response(302, headers={"Location": "https://elsewhere/keys"}),
    httpx.Response(200, text="<html>"),
    httpx.Response(200, json=[]),
    httpx.Response(200, json={"keys": []}),
    httpx.Response(200, json={"keys": "x"}),
    httpx.Response(200, json={"keys": [{"kty": "RSA"}]}),
    httpx.Response(200, text=json.dumps({"keys": [published()], "pad": "x" * MAX_BYTES})),
]


@pytest.mark.parametrize("answer", BAD_ANSWERS)
async def test_an_answer_that_is_no_key_set_is_none(answer: httpx.Response) -> None:
    issuer = Issuer(answer=lambda: answer)

    with pytest.raises(Unavailable):
        await issuer.tokens.read(token())
    assert issuer.asked == 1


async def test_the_issuer_must_be_ours_where_one_is_named() -> None:
    secret = b"a-shared-secret-of-thirty-two-bytes!"
    tokens = SharedSecretTokens(secret, Rules(None, "https://issuer", 0))

    ours = jwt.encode({**CLAIMS, "iss": "https://issuer"}, secret)
    assert (await tokens.read(ours)).owner_id == "alice"
    for other in (CLAIMS, {**CLAIMS, "iss": "https://other"}):
        with pytest.raises(InvalidToken):
            await tokens.read(jwt.encode(other, secret))


async def test_a_token_without_an_end_is_refused_unless_the_operator_allows_it() -> None:
    secret = "a-shared-secret-of-thirty-two-bytes!"
    token = jwt.encode({"sub": "alice"}, secret)
    strict = create_tokens(AccessSettings(auth_jwt_secret=secret))
    lenient = create_tokens(AccessSettings(auth_jwt_secret=secret, auth_allow_unlimited_tokens=True))
    assert strict
    assert lenient

    with pytest.raises(InvalidToken):
        await strict.read(token)
    assert (await lenient.read(token)).expires_at is None


async def test_an_audience_that_is_not_asked_for_is_somebody_elses() -> None:
    secret = b"a-shared-secret-of-thirty-two-bytes!"

    with pytest.raises(InvalidToken):
        await SharedSecretTokens(secret, RULES).read(jwt.encode({**CLAIMS, "aud": "other"}, secret))


async def test_a_short_secret_is_warned_of_and_works() -> None:
    tokens = create_tokens(AccessSettings(auth_jwt_secret="short"))
    assert tokens is not None

    claims = await tokens.read(jwt.encode(CLAIMS, "short", algorithm="HS256"))

    assert claims.owner_id == "alice"
