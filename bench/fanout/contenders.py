"""The servers under comparison, each in the way its users write it, and how events reach them."""

import asyncio
import json
import os
import secrets
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import aio_pika

SERVER_CORE = 0
ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent


def event(seq: int) -> bytes:
    """A status event as a busy pipeline has them, stamped now."""
    body = {
        "eventId": secrets.token_hex(16),
        "documentId": secrets.token_hex(16),
        "status": "embedding",
        "message": "Embedded 32 of 64 chunks.",
        "metadata": {
            "filename": "annual-report.pdf",
            "fileType": "application/pdf",
            "embeddedCount": 32,
            "chunkCount": 64,
            "seq": seq,
            "sentNs": time.monotonic_ns(),
        },
        "timestamp": "2026-11-22T06:00:00.123Z",
        "ownerId": None,
        "attempt": 1,
        "source": "embedder",
    }
    return json.dumps(body, separators=(",", ":")).encode()


class Publisher(ABC):
    """Hands events to a server."""

    def __init__(self) -> None:
        self.seq = 0

    async def publish(self, count: int) -> None:
        """Publish ``count`` events as fast as they are taken."""
        for _ in range(count):
            await self._send(event(self.seq))
            self.seq += 1

    @abstractmethod
    async def _send(self, body: bytes) -> None: ...

    @abstractmethod
    async def close(self) -> None:
        """Close the connection."""


@dataclass
class Contender(ABC):
    """A server on ``port``; ``burst_deliveries`` bounds the time that a burst may take."""

    name: str
    port: int
    path: str = "/events"
    burst_deliveries: int = 1_000_000
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @abstractmethod
    def command(self) -> list[str]:
        """The program."""

    @abstractmethod
    async def publisher(self) -> Publisher:
        """Connect a publisher."""

    def environment(self) -> dict[str, str]:
        """The program's environment."""
        return {**os.environ, "PORT": str(self.port)}

    def start(self, log: Path) -> None:
        """Start on the server's core, and wait until it answers."""
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                ["taskset", "-c", str(SERVER_CORE), *self.command()],
                cwd=ROOT,
                env=self.environment(),
                stdout=output,
                stderr=output,
            )
        for _ in range(300):
            if self._answers():
                return
            time.sleep(0.1)
        raise RuntimeError(f"{self.name} does not answer: see {log}")

    def stop(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def _answers(self) -> bool:
        try:
            urlopen(f"http://127.0.0.1:{self.port}/nothing", timeout=1).close()
        except URLError as error:
            return hasattr(error, "code")
        except OSError:
            return False
        return True

    def cpu_seconds(self) -> float:
        """CPU time of the process, its threads and its children, so far."""
        return sum(_run_ns(pid) for pid in self._family()) / 1e9

    def memory_bytes(self) -> int:
        """Resident memory of the process and its children."""
        return sum(_resident(pid) for pid in self._family())

    def _family(self) -> Iterator[int]:
        waiting = [self.process.pid] if self.process else []
        while waiting:
            pid = waiting.pop()
            yield pid
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            waiting += map(int, children)


def _run_ns(pid: int) -> int:
    # As utime and stime of stat, in nanoseconds instead of ticks of ten milliseconds.
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat"))


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class LinePublisher(Publisher):
    """Events as the lines of one request."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port
        self._writer: asyncio.StreamWriter | None = None

    async def _send(self, body: bytes) -> None:
        if self._writer is None:
            _, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
            self._writer.write(
                b"POST /publish HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n"
            )
        self._writer.write(b"%x\r\n%s\n\r\n" % (len(body) + 1, body))
        await self._writer.drain()

    async def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


class RequestPublisher(Publisher):
    """A request for each event, on one connection."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def _send(self, body: bytes) -> None:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(
            b"POST /publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.partition(b"content-length: ")[2].split(b"\r\n")[0]))

    async def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()


class RabbitPublisher(Publisher):
    """Events into the log, with confirms, a hundred in flight."""

    def __init__(
        self, connection: aio_pika.abc.AbstractConnection, exchange: aio_pika.abc.AbstractExchange
    ) -> None:
        super().__init__()
        self._connection = connection
        self._exchange = exchange

    async def publish(self, count: int) -> None:
        while count:
            batch = min(count, 100)
            bodies = [event(self.seq + index) for index in range(batch)]
            await asyncio.gather(*map(self._send, bodies))
            self.seq += batch
            count -= batch

    async def _send(self, body: bytes) -> None:
        message = aio_pika.Message(
            body, type="document_processing", delivery_mode=2, content_type="application/json"
        )
        await self._exchange.publish(message, "embedder.embedding")

    async def close(self) -> None:
        await self._connection.close()


@dataclass
class Stagecast(Contender):
    """Our API as it is, with its broker and its database."""

    path: str = "/api/v1/events"
    rabbitmq_url: str = ""
    database_url: str = ""
    data_dir: str = ""

    def command(self) -> list[str]:
        return [sys.executable, "-m", "services.api"]

    def environment(self) -> dict[str, str]:
        return {
            **super().environment(),
            "RABBITMQ_URL": self.rabbitmq_url,
            "DATABASE_URL": self.database_url,
            "DATA_DIR": self.data_dir,
            "LOG_LEVEL": "warning",
            "RATE_PER_ADDRESS": "1000000/minute",  # all clients are one address here, and one user
            "RATE_PER_USER": "1000000/minute",
        }

    async def publisher(self) -> Publisher:
        connection = await aio_pika.connect(self.rabbitmq_url)
        channel = await connection.channel()
        return RabbitPublisher(connection, await channel.get_exchange("stagecast.events", ensure=False))


@dataclass
class Express(Contender):
    """A Map of clients and res.write."""

    modules: str = ""

    def command(self) -> list[str]:
        return ["node", str(HERE / "servers" / "express.js")]

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "NODE_PATH": self.modules, "NODE_ENV": "production"}

    async def publisher(self) -> Publisher:
        return LinePublisher(self.port)


@dataclass
class PythonPeer(Contender):
    """An ASGI application on uvicorn."""

    python: str = ""
    app: str = ""

    def command(self) -> list[str]:
        return [
            self.python, "-m", "uvicorn", "--app-dir", str(HERE / "servers"), "--port", str(self.port),
            "--backlog", "4096", "--no-access-log", "--log-level", "warning", self.app,
        ]  # fmt: skip

    async def publisher(self) -> Publisher:
        return LinePublisher(self.port)


@dataclass
class Nchan(Contender):
    """Nginx with the module nchan."""

    program: str = ""
    configuration: str = ""

    def command(self) -> list[str]:
        return [self.program, "-p", str(Path(self.configuration).parent), "-c", self.configuration]

    async def publisher(self) -> Publisher:
        return RequestPublisher(self.port)
