"""The load client: compiled here, run on its own core."""

import asyncio
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CLIENT_CORE = 1
QUIET_POLLS = 100
"""Of a tenth of a second, without a single event, after which a server is given up."""


def compile_client(directory: Path) -> Path:
    """Build client.c with the system's compiler."""
    program = directory / "client"
    source = Path(__file__).with_name("client.c")
    subprocess.run(["gcc", "-O2", "-o", program, source], check=True)
    return program


@dataclass
class Client:
    """A running load client with its streams open."""

    process: asyncio.subprocess.Process
    opening_seconds: float = 0

    @classmethod
    async def start(
        cls, program: Path, port: int, path: str, connections: int, *, spread: float = 0, header: str = ""
    ) -> "Client":
        """Open the streams; returns when each has its first bytes."""
        arguments = [
            str(program),
            str(port),
            path,
            str(connections),
            str(spread),
            *([header] if header else []),
        ]
        process = await asyncio.create_subprocess_exec(
            "taskset",
            "-c",
            str(CLIENT_CORE),
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        client = cls(process)
        line = await asyncio.wait_for(client._answer(), 120)
        if not line.startswith(b"open "):
            raise RuntimeError(f"the client says {line!r}")
        client.opening_seconds = float(line.split()[2])
        return client

    async def ask(self, command: str) -> dict[str, Any]:
        """``stats`` (and begin a new count) or ``peek``."""
        self._tell(command)
        return dict(json.loads(await self._answer()))

    async def stall(self, streams: int) -> None:
        """Stop reading some of the streams."""
        self._tell(f"stall {streams}")
        await asyncio.sleep(0.1)

    async def await_deliveries(self, expected: int, seconds: float) -> dict[str, Any]:
        """The figures once so many events arrived, or no more came for a while, or time is up."""
        deadline = asyncio.get_running_loop().time() + seconds
        last, quiet = -1, 0
        while asyncio.get_running_loop().time() < deadline and quiet < QUIET_POLLS:
            figures = await self.ask("peek")
            if figures["deliveries"] >= expected:
                break
            quiet = quiet + 1 if figures["deliveries"] == last else 0
            last = figures["deliveries"]
            await asyncio.sleep(0.1)
        return await self.ask("stats")

    async def stop(self) -> None:
        """Close all streams."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    def _tell(self, command: str) -> None:
        if self.process.stdin is not None:
            self.process.stdin.write(f"{command}\n".encode())

    async def _answer(self) -> bytes:
        return await self.process.stdout.readline() if self.process.stdout is not None else b""
