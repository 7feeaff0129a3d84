"""A head that does not come is not waited for."""

import asyncio
from contextlib import suppress

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from services.api.http.guarded_protocol import GuardedProtocol

pytestmark = pytest.mark.anyio


class Impatient(GuardedProtocol):
    head_seconds = 0.2


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"hi"})


async def said_to(sent: bytes) -> bytes:
    config = uvicorn.Config(hello, port=0, http=Impatient, lifespan="off", log_config=None, ws="none")
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        async with asyncio.timeout(5):
            answer = await reader.read()
        writer.close()
        return answer
    finally:
        await server.shutdown()


@pytest.mark.parametrize("sent", [b"", b"GET", b"GET / HTTP/1.1\r\nHost: x\r\nX: "])
async def test_a_head_that_does_not_end_is_given_up_on(sent: bytes) -> None:
    answer = await said_to(sent)

    assert answer.startswith(b"HTTP/1.1 408")
    assert b"problem+json" in answer


async def test_the_second_head_of_a_connection_is_bounded_as_well() -> None:
    answer = await said_to(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HT")

    assert answer.count(b"HTTP/1.1 200") == 1
    assert b"HTTP/1.1 408" in answer


@pytest.mark.parametrize("endless", [b"X: y\r\n" * 200_000, b"X: " + b"y" * 1_000_000])
async def test_who_sends_trailers_without_end_is_cut_off(endless: bytes) -> None:
    chunked = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"

    # Sooner than uvicorn's own patience with a connection that is kept alive.
    with suppress(ConnectionResetError):
        async with asyncio.timeout(3):
            assert b"HTTP/1.1 431" in await said_to(chunked + endless)
