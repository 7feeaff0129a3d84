"""A network between a client and a server that can be slow, cut, or silent: a proxy in a thread of its own."""

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

PIECE_BYTES = 65_536
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: what is closed ends with RST, and not with FIN."""
Address = tuple[str, int] | Path


@dataclass(eq=False)
class FaultyNetwork:
    """Takes connections on ``port`` of loopback for the server of a URL; its fields may be set at any time."""

    server_url: str
    delay_seconds: float = 0.0
    """Of every answer; what follows is delayed as much, and not in addition."""
    cut_rate: float = 0.0
    """The part of connections, and of pieces that pass, at which the connection is reset."""
    dice: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311 - the same each time
    port: int = 0
    cuts: int = 0
    connections: int = 0
    """Taken since the beginning."""
    _refuses: bool = False
    _open: set["_Connection"] = field(default_factory=set)
    _passable: asyncio.Event = field(default_factory=asyncio.Event)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _started: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """The server's URL by way of this network."""
        return _through(self.server_url, self.port)

    def run(self) -> None:
        """Serve until ``stop``."""
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    def stop(self) -> None:
        """Reset what is open, and take no more."""
        self._loop.call_soon_threadsafe(self._stopping.set)

    def await_start(self) -> None:
        assert self._started.wait(5)

    def go_silent(self) -> None:
        """Let nothing pass, as where packets are dropped; new connections are not answered either."""
        self._call(self._passable.clear)

    def refuse(self) -> None:
        """Reset what is open, and what is opened from now on."""
        self._refuses = True
        self.reset()

    def heal(self, *, forgotten: bool = False) -> None:
        """Let everything pass again, also what was held back.

        With ``forgotten``, open connections stay silent for ever, as behind a firewall that has lost its table.
        """
        self._refuses = False
        self._call(self._forget_and_pass if forgotten else self._passable.set)

    def reset(self) -> None:
        """Reset all open connections."""
        self._call(self._reset)

    def _call(self, act: Callable[[], None]) -> None:
        done = threading.Event()

        def run() -> None:
            act()
            done.set()

        self._loop.call_soon_threadsafe(run)
        assert done.wait(5)

    def _forget_and_pass(self) -> None:
        for connection in self._open:
            connection.passable = asyncio.Event()
        self._passable.set()

    def _reset(self) -> None:
        for connection in list(self._open):
            connection.reset()

    async def _serve(self) -> None:
        self._passable.set()
        server = await asyncio.start_server(self._take, "127.0.0.1", self.port, limit=PIECE_BYTES)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stopping.wait()
        server.close()
        self._reset()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = _Connection(self, writer, self._passable)
        self._open.add(connection)
        try:
            await connection.pass_on(reader)
        except asyncio.CancelledError:
            pass  # at the end; asyncio's own callback of the task would report it
        finally:
            connection.reset()
            self._open.discard(connection)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the server."""
        upstream = _address(self.server_url)
        if isinstance(upstream, Path):
            return await asyncio.open_unix_connection(upstream, limit=PIECE_BYTES)
        return await asyncio.open_connection(*upstream, limit=PIECE_BYTES)

    def is_cut(self) -> bool:
        """Throw the dice."""
        is_cut = self._refuses or self.dice.random() < self.cut_rate
        self.cuts += is_cut
        return is_cut


@dataclass(eq=False)
class _Connection:
    network: FaultyNetwork
    near: asyncio.StreamWriter
    passable: asyncio.Event
    far: asyncio.StreamWriter | None = None

    async def pass_on(self, near: asyncio.StreamReader) -> None:
        await self.passable.wait()
        if self.network.is_cut():
            return
        with suppress(OSError):
            far, self.far = await self.network.connect()
            ways = [
                asyncio.ensure_future(self._pass(near, self.far)),
                asyncio.ensure_future(self._answer(far)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(PIECE_BYTES):
                if not await self._write(writer, piece):
                    return

    async def _answer(self, reader: asyncio.StreamReader) -> None:
        delayed: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        reading = asyncio.ensure_future(self._delay(reader, delayed))
        with suppress(OSError):
            while True:
                due, piece = await delayed.get()
                await asyncio.sleep(due - asyncio.get_running_loop().time())
                if not piece or not await self._write(self.near, piece):
                    break
        reading.cancel()

    async def _delay(self, reader: asyncio.StreamReader, delayed: asyncio.Queue[tuple[float, bytes]]) -> None:
        piece = b"first"
        while piece:
            try:
                piece = await reader.read(PIECE_BYTES)
            except OSError:
                piece = b""
            delayed.put_nowait((asyncio.get_running_loop().time() + self.network.delay_seconds, piece))

    async def _write(self, writer: asyncio.StreamWriter, piece: bytes) -> bool:
        while not self.passable.is_set():
            await self.passable.wait()
        if self.network.is_cut():
            return False
        writer.write(piece)
        await writer.drain()
        return True

    def reset(self) -> None:
        for writer in (self.near, self.far):
            if writer is None or writer.transport.is_closing():
                continue
            end: socket.socket = writer.get_extra_info("socket")
            if end.family != socket.AF_UNIX:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()


@contextmanager
def network_before(url: str) -> Iterator[FaultyNetwork]:
    """A network before the server of a URL."""
    network = FaultyNetwork(url)
    thread = threading.Thread(target=network.run, daemon=True)
    thread.start()
    network.await_start()
    try:
        yield network
    finally:
        network.stop()
        thread.join(10)


@contextmanager
def cutting(rate: float, *networks: FaultyNetwork) -> Iterator[None]:
    """Cut that part of connections, and of pieces that pass, as long as the block lasts."""
    for network in networks:
        network.cut_rate = rate
    try:
        yield
    finally:
        for network in networks:
            network.cut_rate = 0.0


def _address(url: str) -> Address:
    parts = urlsplit(url)
    if parts.hostname:
        return parts.hostname, parts.port or {"amqp": 5672}.get(parts.scheme, 5432)
    return Path(parse_qs(parts.query)["host"][0], ".s.PGSQL.5432")


def _through(url: str, port: int) -> str:
    parts = urlsplit(url)
    account = parts.netloc.rpartition("@")[0]
    query = "" if not parts.hostname else parts.query  # of a socket: where it is
    return parts._replace(netloc=f"{account}@127.0.0.1:{port}", query=query).geturl()
