"""Without tokens a request is for this machine's own names; one that names no host is none."""

import pytest

from services.api.api_settings import ApiSettings
from services.api.http.allowed_hosts import host_check, is_loopback, parse_host
from tests.support.unconnected import SECRET, client_of, routes_of, unconnected_app

pytestmark = pytest.mark.anyio

PROBES = ["/healthz", "/readyz", "/metrics"]

HOSTS = [
    (b"localhost", "localhost"),
    (b"LocalHost.:3000", "localhost"),
    (b"127.0.0.1:80", "127.0.0.1"),
    (b"[::1]:3000", "::1"),
    (b"[0:0:0:0:0:0:0:1]", "::1"),
    (b"my_api", "my_api"),
    (b"localhost:", "localhost"),
]
NONE = [
    b"", b" ", b":80", b".", b"a..b", b"[::1", b"::1", b"[]", b"[:::1]", b"[::1]x", b"localhost:99999",
    b"localhost:x", b"localhost:-1", b"localhost:80:80", b"me@localhost", b"me:word@localhost", b"localhost/",
    b"localhost, evil", b"localhost\n", b"localhost ", b"l\xc3\xb6calhost", b"%6cocalhost", b"localhost\x00",
]  # fmt: skip


@pytest.mark.parametrize(("value", "name"), HOSTS)
def test_a_host_is_its_name_without_the_port(value: bytes, name: str) -> None:
    assert parse_host(value) == name


@pytest.mark.parametrize("value", NONE)
def test_what_is_no_host_has_no_name(value: bytes) -> None:
    assert parse_host(value) is None


@pytest.mark.parametrize("name", ["localhost", "app.localhost", "127.0.0.1", "127.8.0.1", "::1"])
def test_this_machine_is_known_by_its_own_names(name: str) -> None:
    assert is_loopback(name)


@pytest.mark.parametrize(
    "name", ["evil.example", "localhost.evil.example", "10.0.0.1", "127.0.0.1.nip.io", "0.0.0.0", "::"]
)
def test_a_name_that_was_made_to_point_here_is_not_this_machines(name: str) -> None:
    assert not is_loopback(name)


@pytest.mark.parametrize(
    ("names", "asks_for_tokens", "allowed"),
    [
        ("", False, {"localhost"}),
        ("", True, {"localhost", "api", "evil.example"}),
        ("api", True, {"api"}),
        ("API, localhost", False, {"api", "localhost"}),
        ("*", False, {"localhost", "api", "evil.example"}),
    ],
)
def test_the_names_are_those_of_the_setting(names: str, asks_for_tokens: bool, allowed: set[str]) -> None:
    is_ours = host_check(ApiSettings(allowed_hosts=names).host_names, asks_for_tokens=asks_for_tokens)

    assert {name for name in ("localhost", "api", "evil.example") if is_ours(name)} == allowed


@pytest.mark.parametrize("auth_disabled", [True, False])
async def test_a_server_without_tokens_answers_to_no_other_name_whatever_the_route(
    auth_disabled: bool,
) -> None:
    app = unconnected_app(auth_disabled=auth_disabled)
    async with client_of(app, host="evil.example:3000") as client:
        answers = [
            await client.request(method, path) for method, path in routes_of(app) if path not in PROBES
        ]

    assert len(answers) > 25
    for answer in answers:
        assert (answer.status_code, answer.headers["content-type"]) == (421, "application/problem+json")
        assert "x-request-id" in answer.headers


async def test_probes_and_scrapers_may_ask_by_any_name() -> None:
    async with client_of(unconnected_app(), host="10.1.2.3:3000") as client:
        assert [(await client.get(path)).status_code for path in PROBES] == [200, 503, 200]


@pytest.mark.parametrize("settings", [{}, {"auth_jwt_secret": SECRET}, {"allowed_hosts": "*"}])
@pytest.mark.parametrize("host", ["[::1", "localhost:99999", "", "me@localhost"])
async def test_a_host_that_is_none_is_refused_before_anything_else(
    settings: dict[str, str], host: str
) -> None:
    app = unconnected_app(cors_origins="https://app.example.org", **settings)
    preflight = {"Origin": "https://app.example.org", "Access-Control-Request-Method": "GET"}
    async with client_of(app, host=host) as client:
        answers = [
            await client.get("/healthz"),
            await client.get("/api/v1/documents"),
            await client.options("/api/v1/documents", headers=preflight),
        ]

    for answer in answers:
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
