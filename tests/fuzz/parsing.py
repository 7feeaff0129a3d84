"""Files through the real sandbox, counted and measured: ``python -m tests.fuzz.parsing [COUNT] [SEED]``.

With a directory in the place of a count its PDFs are read, one after the other, and what becomes of each is told.
"""

import asyncio
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from contracts.failures import DocumentFailed
from services.parser.sandbox import Sandbox
from services.runtime.media_types import PDF
from tests.fuzz.mutations import mutated_pdfs
from tests.support.sandbox import MEGABYTE, ignore, sandbox


@dataclass
class Figures:
    """What became of files, and what they took."""

    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    seconds: float = 0.0
    own_growth_mb: float = 0.0
    """Resident memory of the process with the sandbox, after against before."""
    child_peak_mb: float = 0.0

    def __str__(self) -> str:
        return (
            f"{sum(self.outcomes.values())} files in {self.seconds:.1f} s, the slowest {self.slowest:.2f} s; "
            f"largest child {self.child_peak_mb:.0f} MB, the worker grew by {self.own_growth_mb:.1f} MB; "
            f"{dict(self.outcomes.most_common())}"
        )


async def outcome(box: Sandbox, path: Path, media_type: str = PDF) -> str:
    """``parsed``, or the code of the failure; any other exception is a bug of ours, and raised."""

    try:
        await box.parse(path, media_type, ignore)
    except DocumentFailed as failure:
        return failure.code.value
    return "parsed"


async def parse_all(box: Sandbox, files: Iterable[bytes], folder: Path, media_type: str = PDF) -> Figures:
    """Parse files two at a time."""
    figures = Figures()
    began, before = time.monotonic(), resident_mb()
    gate = asyncio.Semaphore(2)

    async def one(number: int, content: bytes) -> None:
        async with gate:
            path = folder / f"{number}"
            path.write_bytes(content)
            start = time.monotonic()
            figures.outcomes[await outcome(box, path, media_type)] += 1
            figures.slowest = max(figures.slowest, time.monotonic() - start)
            path.unlink()

    await asyncio.gather(*(one(number, content) for number, content in enumerate(files)))
    figures.seconds = time.monotonic() - began
    figures.own_growth_mb = resident_mb() - before
    return figures


def resident_mb() -> float:
    """What this process has in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / MEGABYTE


def largest_child_mb() -> float:
    """The peak of the largest child that has ended."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


async def measure(count: int, seed: int) -> Figures:
    """``count`` mutated PDFs."""
    files = list(mutated_pdfs(count, seed))
    with tempfile.TemporaryDirectory() as folder:
        async with sandbox(processes=2, memory_mb=512, seconds=20) as box:
            figures = await parse_all(box, files, Path(folder))
    figures.child_peak_mb = largest_child_mb()
    return figures


async def measure_files(paths: Iterable[Path]) -> Figures:
    """Files that lie there, with the limits that a parser has by itself."""
    figures = Figures()
    async with sandbox(processes=1, memory_mb=2048, seconds=600) as box:
        for path in paths:
            began = time.monotonic()
            what = await outcome(box, path)
            took = time.monotonic() - began
            print(f"{took:6.2f} s  {what:14} {path.name}")  # noqa: T201 - the figures
            figures.outcomes[what] += 1
            figures.slowest, figures.seconds = max(figures.slowest, took), figures.seconds + took
    figures.child_peak_mb = largest_child_mb()
    return figures


if __name__ == "__main__":
    if sys.argv[1:] and Path(sys.argv[1]).is_dir():
        print(asyncio.run(measure_files(sorted(Path(sys.argv[1]).rglob("*.pdf")))))  # noqa: T201 - the figures
    else:
        given = [int(argument) for argument in sys.argv[1:]]
        print(asyncio.run(measure(*(given + [500, 1][len(given) :]))))  # noqa: T201 - the figures
