"""The servers under comparison, each in the way its users write it."""

import os
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

from bench.fanout.publishers import LinePublisher, Publisher, RabbitPublisher, RequestPublisher

SERVER_CORE = 0
ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent


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
class Floor(Contender):
    """One ``send()`` to each socket for each event, in C, and nothing else: the kernel's share."""

    program: str = ""

    def command(self) -> list[str]:
        return [self.program]

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
