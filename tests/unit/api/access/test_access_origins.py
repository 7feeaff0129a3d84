"""Without tokens being at this machine is all that is asked; other sites and other names are not."""

import pytest
from starlette.requests import Request

from services.api.access.origins import refuse_other_hosts, refuse_other_origins
from services.api.http.problems import Problem


def request(method: str = "GET", **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {
        "type": "http",
        "method": method,
        "path": "/",
        "headers": raw,
        "scheme": "http",
        "query_string": b"",
    }
    return Request({**scope, "server": ("127.0.0.1", 3000)})


@pytest.mark.parametrize(
    "host", ["localhost:3000", "127.0.0.1", "127.8.0.1:80", "[::1]:3000", "app.localhost"]
)
def test_this_machine_is_known_by_its_own_names(host: str) -> None:
    refuse_other_hosts(request(host=host))


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "10.0.0.1:3000", "127.0.0.1.nip.io"]
)
def test_a_name_that_was_made_to_point_here_is_refused(host: str) -> None:
    with pytest.raises(Problem) as refusal:
        refuse_other_hosts(request(host=host))
    assert refusal.value.status == 421


def test_a_command_line_without_such_headers_may_change_things_without_tokens() -> None:
    refuse_other_origins(request("POST", host="localhost"), (), must_tell=False)


@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"sec_fetch_site": "cross-site"}])
def test_another_site_may_not(headers: dict[str, str]) -> None:
    for method in ("GET", "POST"):
        with pytest.raises(Problem):
            refuse_other_origins(request(method, host="localhost", **headers), (), must_tell=False)
