"""``python -m services.api``."""

import asyncio
import resource
import socket
from contextlib import suppress
from types import FrameType

import uvicorn

from services.api.api_settings import ApiSettings
from services.api.app import create_app
from services.api.stream.hub import Hub
from services.api.stream.transport_subscriber import StreamProtocol
from services.runtime.process.logging import configure_logging

BACKLOG = 4096
"""Connections that wait to be accepted: all clients come back at once after a restart."""

LAST_REQUESTS_SECONDS = 10
"""For the requests under way when the process is told to stop."""

HALF_OPEN = {
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE): 1,
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE): 30,
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL): 10,
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT): 3,
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT): 60_000,
    (socket.IPPROTO_TCP, socket.TCP_NODELAY): 1,
}
"""A peer that vanished without a word is noticed within a minute. Accepted sockets inherit all of it (Linux)."""


class DrainingServer(uvicorn.Server):
    """Ends open streams on the signal itself; uvicorn waits for them before the lifespan's shutdown runs."""

    def __init__(self, config: uvicorn.Config, hub: Hub) -> None:
        super().__init__(config)
        self._hub = hub
        self._loop: asyncio.AbstractEventLoop | None = None
        self._signalled = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and notice half-open connections."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        for listening in self.servers:
            for sock in listening.sockets:
                for (level, option), value in HALF_OPEN.items():
                    sock.setsockopt(level, option, value)

    async def main_loop(self) -> None:
        """Wait for the end. uvicorn's own wakes ten times a second, which is half of what an idle API takes."""
        while not await self.on_tick(0):  # renews the ``Date`` header
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._signalled.wait()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called on SIGTERM and SIGINT, between two instructions of whatever runs."""
        super().handle_exit(sig, frame)
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(self._hub.drain(), self._loop)
            self._loop.call_soon_threadsafe(self._signalled.set)


def main() -> None:
    """Read the settings, and serve until a signal."""
    settings = ApiSettings.read()
    configure_logging(settings, "api")
    _allow_many_files()
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=StreamProtocol,
        backlog=BACKLOG,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=LAST_REQUESTS_SECONDS,
        ws="none",
        server_header=False,
        # Nobody may say from where a request comes, unless the operator knows them.
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
    )
    DrainingServer(config, app.state.parts.hub).run()


def _allow_many_files() -> None:
    """An open stream is an open file, and 1024 of them is what a shell usually grants."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    main()
