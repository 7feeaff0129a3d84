"""What reading costs, by kind: every file of folders through the real sandbox, with its outcome and CPU time.

CPU time is that of the child for reading and cutting into chunks, with no database, broker or model. It is read
from the kernel, which counts in steps of 10 ms, before and after, so neighbours on the machine hardly count.

    python -m bench.parse FILE-OR-FOLDER… [--seconds 600]
"""

import argparse
import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from contracts.failures import DocumentFailed
from services.parser.sandbox import Sandbox
from services.runtime.bundled_model import BUNDLED_MODEL
from services.runtime.media_types import HEAD_BYTES, SUPPORTED, detect


@dataclass(frozen=True)
class Outcome:
    """What became of a file, and what that took."""

    path: Path
    media_type: str
    said: str
    milliseconds: float
    pages: int


def files(paths: Sequence[Path]) -> Iterator[Path]:
    """The files at paths, those of folders with all below them."""
    for path in paths:
        yield from sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]


def children_seconds() -> float:
    """CPU time of this process's children, those that have ended included."""
    own = psutil.Process()
    ended = own.cpu_times()
    total: float = ended.children_user + ended.children_system
    for child in own.children():
        times = child.cpu_times()
        total += times.user + times.system
    return total


async def measured(box: Sandbox, path: Path) -> Outcome:
    """Read one file as a parser would, told by its content."""
    with path.open("rb") as file:
        media_type = detect(file.read(HEAD_BYTES), path.name)
    if media_type not in SUPPORTED:
        return Outcome(path, media_type, "refused (415)", 0, 0)
    before = children_seconds()
    pages = 0
    try:
        parsed = await box.parse(path, media_type, _ignore, filename=path.name)
    except DocumentFailed as failure:
        said = f"{failure.code.value}: {failure.message}"
    else:
        pages = parsed.page_count or 0
        said = f"{len(parsed.chunks)} chunks" + (f" of {pages} pages" if pages else "")
        for name, numbers in (("failed", parsed.pages_failed), ("garbled", parsed.pages_garbled)):
            said += f", {len(numbers)} {name}" if numbers else ""
    return Outcome(path, media_type, said, (children_seconds() - before) * 1000, pages)


async def measure(paths: Sequence[Path], seconds: float) -> list[Outcome]:
    """Read all files one after another."""
    box = Sandbox(
        processes=1,
        memory_bytes=2_147_483_648,
        timeout_seconds=seconds,
        stall_seconds=seconds,
        documents_per_process=1_000_000,
        embedding_model=BUNDLED_MODEL,
    )
    async with box:
        return [await measured(box, path) for path in files(paths)]


def report(outcomes: Sequence[Outcome]) -> None:
    """Print each file under its kind, and what a kind took in all."""
    kinds: defaultdict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        kinds[outcome.media_type].append(outcome)
    for media_type, found in sorted(kinds.items()):
        total, pages = sum(one.milliseconds for one in found), sum(one.pages for one in found)
        by_page = f", {total / pages:.1f} a page" if pages else ""
        print(f"{media_type}: {len(found)} files, {total / len(found):.1f} CPU-ms each{by_page}")
        for one in found:
            print(f"  {one.milliseconds:8.1f}  {one.path.name}: {one.said}")


async def _ignore(_done: int, _count: int) -> None:
    """Progress that nobody waits for."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--seconds", type=float, default=600, help="that a file may take")
    given = parser.parse_args()
    report(asyncio.run(measure(given.paths, given.seconds)))


if __name__ == "__main__":
    main()
