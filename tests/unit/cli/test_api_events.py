"""The command's event stream: it gives up where it never got through, and waits for a server that was there."""

from contextlib import aclosing

import pytest

from cli.api import Api
from stagecast_client import Refused, StagecastError, Unreachable
from tests.support.fakes.api import FakeApi, running

pytestmark = pytest.mark.anyio


async def test_the_first_connection_refused_is_an_error() -> None:
    async with Api("http://127.0.0.1:9") as api:
        with pytest.raises(Unreachable):
            await anext(api.events().__aiter__())


async def test_a_server_that_is_busy_at_the_first_connection_is_an_error() -> None:
    with running(FakeApi(ready=False)) as server:
        async with Api(server.url + "/readyz?") as api:
            with pytest.raises(Refused, match="The broker does not answer"):
                await anext(api.events().__aiter__())


async def test_an_answer_that_is_no_stream_is_an_error() -> None:
    with running(FakeApi()) as server:
        async with Api(server.url + "/healthz?") as api:
            with pytest.raises(Refused):
                await anext(api.events().__aiter__())


async def test_a_server_that_was_there_is_waited_for() -> None:
    heard: list[StagecastError | None] = []
    with running(FakeApi()) as server:
        async with (
            Api(server.url) as api,
            aclosing(api.events(on_lost=lambda _, failure: heard.append(failure)).__aiter__()) as events,
        ):
            assert (await anext(events)).kind == "connected"
            server.cut()
            assert (await anext(events)).kind == "connected"
    assert heard == [None]
