"""A parser child as its parent sees it."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

from services.parser import ipc
from services.runtime.errors import Transient

_ROOT = Path(__file__).parents[2]

_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "TMPDIR")
_INHERITED_PREFIXES = ("HF_H", "HF_ENDPOINT", "PYTHON")
"""Of the environment: a child gets no password of ours that a file could make it give away."""

_STDERR_BLOCKS = 20
_ENDING_SECONDS = 1


class ChildDied(Transient):
    """A child that ended, or spoke nonsense, before it had answered.

    ``returncode`` is a signal if negative, and None where it had not ended and we killed it. ``stderr`` is the
    end of what it wrote.
    """

    def __init__(self, returncode: int | None, stderr: str) -> None:
        super().__init__(f"a parser child ended with {returncode}: {stderr}")
        self.returncode = returncode
        self.stderr = stderr

    @property
    def of_memory(self) -> bool:
        """True when memory ran out: the kernel killed it, or an allocator gave up."""
        words = ("memory allocation", "out of memory", "bad_alloc", "MemoryError", "Cannot allocate memory")
        return self.returncode == -signal.SIGKILL or any(word in self.stderr for word in words)


class ChildNotReady(Transient):
    """A child that ended before it could take a task, which is no document's fault."""


class ChildProcess:
    """A warm parser that takes one task at a time."""

    def __init__(self, process: Process) -> None:
        self.documents = 0
        self._process = process
        self._stderr: deque[str] = deque(maxlen=_STDERR_BLOCKS)
        self._listening = asyncio.create_task(self._listen(), name="parser-child-stderr")

    @classmethod
    async def start(cls, memory_bytes: int, embedding_model: str, *, niceness: int = 0) -> Self:
        """Start a child and wait until it is ready; raises ChildNotReady."""
        confinement = ipc.Confinement(
            parent=os.getpid(),
            memory_bytes=memory_bytes,
            embedding_model=embedding_model,
            niceness=niceness,
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.parser.child",
            confinement.model_dump_json(),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=_environment(os.environ),
            start_new_session=True,  # Ctrl-C is for the service, which ends its children when it is done.
        )
        child = cls(process)
        try:
            await child.answer()
        except ChildDied as died:
            raise ChildNotReady(f"A parser process can't start: {died.stderr}") from died
        except BaseException:
            await child.kill()
            raise
        return child

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def give(self, task: ipc.Task) -> None:
        """Hand a task to the child; raises ChildNotReady when it ended while it was idle."""
        if self._process.returncode is not None:
            raise ChildNotReady(f"An idle parser process ended with {self._process.returncode}.")
        self.documents += 1
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        try:
            self._process.stdin.write(ipc.encode(task))
            await self._process.stdin.drain()
        except ConnectionError:
            await self._raise_died()

    async def answer(self) -> ipc.Answer:
        """Read the child's next frame; raises ChildDied when there is none or it makes no sense."""
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        try:
            (length,) = ipc.LENGTH.unpack(await self._process.stdout.readexactly(ipc.LENGTH.size))
            if length <= ipc.MAX_FRAME_BYTES:
                return ipc.ANSWERS.validate_json(await self._process.stdout.readexactly(length))
        except (asyncio.IncompleteReadError, ValueError):
            pass
        return await self._raise_died()

    async def kill(self) -> None:
        """End the child, whatever it does, and wait until it is gone."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._listening

    async def _raise_died(self) -> ipc.Answer:
        # Signalling a process that has just ended makes subprocess collect its status before asyncio can,
        # which then knows none. So only what lives on with its pipe closed, or talks nonsense, is killed.
        with suppress(TimeoutError):
            async with asyncio.timeout(_ENDING_SECONDS):
                await self._process.wait()
        ended_with = self._process.returncode  # by itself: that we kill it is no lack of memory
        await self.kill()
        raise ChildDied(ended_with, "\n".join(self._stderr))

    async def _listen(self) -> None:
        assert self._process.stderr is not None  # noqa: S101 - it was asked for
        # By size, not by line: a line may be longer than what a reader takes.
        while block := await self._process.stderr.read(4096):
            self._stderr.append(block.decode(errors="replace"))


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    kept = {
        name: value
        for name, value in ours.items()
        if name in _INHERITED or name.startswith(_INHERITED_PREFIXES)
    }
    path = os.pathsep.join(filter(None, (str(_ROOT), kept.get("PYTHONPATH"))))
    # One thread each: the processes are what runs at once, and each thread's arena counts as memory.
    threads = {"TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return {**kept, **threads, "PYTHONPATH": path, "PYTHONHASHSEED": "0"}
