"""Whether the time left that people are told comes true: of many small documents, of few large ones, of both.

The system is the benchmark's own (private broker, embedded database, one process of each service). While documents
are on their way, ``GET /api/v1/documents`` is asked for those that are not done, as the page does; what it tells
of each is held against when that could be found. Counted is what was told from 30 % of a document's way on; the way
is the time from its upload to its end. Near the end a third of what is left is less than anybody sees, so what is
off by less than ``UNSEEN_SECONDS`` counts as right.

    python -m bench.time_left [--loads small large both] [--many 100] [--pages 300]
"""

import argparse
import statistics
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx
import jwt

from bench.documents import running
from bench.flow.load import SECRET, Load
from contracts.statuses import TERMINAL, Status

FROM_SHARE = 0.3
TOLERANCE = 0.3
UNSEEN_SECONDS = 1.0
EVERY_SECONDS = 0.5


@dataclass(frozen=True)
class Told:
    """What was told at a moment: seconds, or None."""

    at: datetime
    seconds: float | None


@dataclass(frozen=True)
class Way:
    """A document's way from its upload to its end, and what was told of it, in that order."""

    began_at: datetime
    ended_at: datetime
    told: Sequence[Told]

    def errors(self) -> list[float]:
        """How far off each number was from ``FROM_SHARE`` of the way on, as a share of what was really left."""
        return [self._error(one.at, one.seconds) for one in self._late() if one.seconds is not None]

    def untold(self) -> int:
        """How often nothing was told then."""
        return sum(one.seconds is None for one in self._late())

    def growth(self) -> float:
        """The most seconds by which a number was above the one told before it; 0 where none was."""
        seconds = [one.seconds for one in self.told if one.seconds is not None]
        return max([0.0, *(after - before for before, after in pairwise(seconds))])

    def _late(self) -> Iterator[Told]:
        since = self.began_at + (self.ended_at - self.began_at) * FROM_SHARE
        return (one for one in self.told if since <= one.at < self.ended_at)

    def _error(self, at: datetime, seconds: float) -> float:
        left = (self.ended_at - at).total_seconds()
        off = abs(seconds - left)
        return 0.0 if off < UNSEEN_SECONDS else off / max(left, UNSEEN_SECONDS)


def summary(ways: Sequence[Way]) -> str:
    """Return what is printed of a load."""
    of_each = [errors for way in ways if (errors := way.errors())]
    numbers = [error for errors in of_each for error in errors]
    if not numbers:
        return f"{len(ways)} documents, of which nothing was told from {FROM_SHARE:.0%} of the way on"
    right = sum(error <= TOLERANCE for error in numbers) / len(numbers)
    documents = sum(statistics.median(errors) <= TOLERANCE for errors in of_each) / len(of_each)
    untold = sum(way.untold() for way in ways)
    return (
        f"{len(of_each)} of {len(ways)} documents were told a number: {documents:.0%} of them within"
        f" +-{TOLERANCE:.0%} (median of what each was told), {right:.0%} of all {len(numbers)} numbers;"
        f" {untold} times nothing; worst growth {max(way.growth() for way in ways):.1f} s"
    )


class Watcher(threading.Thread):
    """Asks for what is not done until it is stopped, and keeps what was told of each document."""

    def __init__(self, client: httpx.Client) -> None:
        super().__init__(daemon=True)
        self._client = client
        self._stopped = threading.Event()
        self.told: dict[str, list[Told]] = {}

    def run(self) -> None:
        """Ask."""
        while not self._stopped.wait(EVERY_SECONDS):
            self.ask()

    def ask(self) -> None:
        """Ask once, for all pages of the list."""
        for item in self._under_way():
            told = Told(datetime.now(UTC), item["secondsLeft"])
            self.told.setdefault(item["documentId"], []).append(told)

    def stop(self) -> None:
        """Ask no more."""
        self._stopped.set()
        self.join()

    def _under_way(self) -> Iterator[dict[str, Any]]:
        query: dict[str, object] = {
            "status": [one.value for one in Status if one not in TERMINAL],
            "limit": 200,
        }
        while True:
            page = self._client.get("/api/v1/documents", params=query).raise_for_status().json()  # type: ignore[arg-type]  # httpx takes lists within a mapping
            yield from page["items"]
            if not page["nextCursor"]:
                return
            query["cursor"] = page["nextCursor"]


def small(load: Load, asked: argparse.Namespace) -> list[bytes]:
    """Many of two pages."""
    return [load.pages(2) for _ in range(asked.many)]


def large(load: Load, asked: argparse.Namespace) -> list[bytes]:
    """Three large ones."""
    return [load.pages(asked.pages) for _ in range(3)]


def both(load: Load, asked: argparse.Namespace) -> list[bytes]:
    """A large one after each tenth part of the small ones, for three of them."""
    files, part = small(load, asked), max(1, asked.many // 10)
    for number, file in enumerate(large(load, asked)):
        files.insert((number + 1) * part, file)
    return files


LOADS: dict[str, Callable[[Load, argparse.Namespace], list[bytes]]] = {
    "small": small,
    "large": large,
    "both": both,
}


def measure(load: Load, url: str, files: Sequence[bytes]) -> list[Way]:
    """Upload files of one owner, and return their ways once all have ended."""
    watcher = Watcher(_administrator(url))
    watcher.start()
    uploaded = load.upload_all(files, "owner")
    load.rest()
    watcher.stop()
    return [
        Way(
            one.began_at,
            one.began_at + timedelta(seconds=load.seconds(one)),
            watcher.told.get(one.document_id, []),
        )
        for one in uploaded
    ]


def _administrator(url: str) -> httpx.Client:
    claims = {"sub": "bench", "scope": "admin", "exp": datetime.now(UTC) + timedelta(days=1)}
    headers = {"Authorization": f"Bearer {jwt.encode(claims, SECRET, 'HS256')}"}
    return httpx.Client(base_url=url, timeout=60, trust_env=False, headers=headers)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--loads", nargs="+", default=list(LOADS), choices=list(LOADS))
    parser.add_argument("--many", type=int, default=100, help="small documents")
    parser.add_argument("--pages", type=int, default=300, help="of a large document")
    asked = parser.parse_args()
    with running({"AUTH_JWT_SECRET": SECRET}) as (system, processes, _):
        load = Load(system, processes)
        load.seconds(*load.upload_all([load.pages(2) for _ in range(5)], "first"))
        for name in asked.loads:
            print(f"{name}: {summary(measure(load, system.url, LOADS[name](load, asked)))}", flush=True)


if __name__ == "__main__":
    main()
