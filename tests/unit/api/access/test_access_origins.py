"""Without tokens being at this machine is all that is asked; pages of other sites are not."""

import pytest
from starlette.requests import Request

from services.api.access.origins import refuse_other_origins
from services.api.refusals import Forbidden


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


def test_a_command_line_without_such_headers_may_change_things_without_tokens() -> None:
    refuse_other_origins(request("POST", host="localhost"), (), must_tell=False)


@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"sec_fetch_site": "cross-site"}])
def test_another_site_may_not(headers: dict[str, str]) -> None:
    for method in ("GET", "POST"):
        with pytest.raises(Forbidden):
            refuse_other_origins(request(method, host="localhost", **headers), (), must_tell=False)
