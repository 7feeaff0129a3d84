"""Who waits for whom: each figure beside that of the idle system of the same run.

The system is the benchmark's own (private broker, embedded database, one process of each service). Made-up PDFs of
two pages are timed from the beginning of their upload until they are searchable: alone; behind a large one, at
several moments of its way; ten at once behind it; of an owner beside another's many; of ten owners at once, with
Jain's index of what each gets; and how much of the work is bulk's while the first lane is full. The last row is the
same work with and without lanes. On a machine with neighbours believe ratios and CPU time.

    python -m bench.flow [--rows idle behind ten beside fair bulk total] [--pages 2000] [--many 1000] [--each 100]
"""

import argparse
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bench.documents import running
from bench.flow.fairness import indexes
from bench.flow.load import SECRET, Load

MOMENTS = ("parsed next", 0.0, 0.25, 0.5, 0.9)
"""Of the large document: while it is parsed, and when so much of it is embedded."""
EVERY_SECONDS = 10.0
WINDOW_SECONDS = 30.0
OWNERS = 10
NO_LANES = {"OWNER_SHARE": "1000000", "OWNER_WINDOW": "1000000", "LARGE_BYTES": "1000000000"}
NO_LANES |= {"LARGE_PAGES": "1000000", "LARGE_CHUNKS": "1000000"}


@dataclass
class Bench:
    """The rows, each a method; ``idle`` has to be the first."""

    load: Load
    asked: argparse.Namespace
    alone: list[float] = field(default_factory=list)

    def idle(self) -> None:
        """One after another on an idle system; further rows divide by the median."""
        self.alone = [self._one("idle") for _ in range(self.asked.times)]
        print(f"idle: {self._median:.2f} s (worst {max(self.alone):.2f} s of {len(self.alone)})", flush=True)

    def behind(self) -> None:
        """One at each moment of a large document's way."""
        large = self.load.upload(self.load.pages(self.asked.pages), "large")
        for moment in MOMENTS:
            while not self._has_come(large.document_id, moment):
                time.sleep(0.1)
            waited = self._one("small")
            at = moment if isinstance(moment, str) else f"{moment:.0%} embedded"
            print(f"behind one of {self.asked.pages} pages, {at}: {self._ratio(waited)}", flush=True)
        print(f"  the large one took {self.load.seconds(large):.1f} s", flush=True)

    def ten(self) -> None:
        """Ten at once, alone and then behind a large one."""
        alone = self._ten("ten-alone")
        large = self.load.upload(self.load.pages(self.asked.pages), "large")
        while not self._has_come(large.document_id, 0.01):
            time.sleep(0.1)
        waited = self._ten("ten")
        print(f"ten behind it: {waited:.2f} s, alone {alone:.2f} s, {waited / alone:.2f} x", flush=True)
        self.load.seconds(large)

    def beside(self) -> None:
        """One every ten seconds, beside an owner who has queued many."""
        many = [self.load.pages(2) for _ in range(self.asked.many)]
        self.load.upload_all(many, "many")
        waits = []
        while self.load.unfinished() and len(waits) < self.asked.most:
            began = time.monotonic()
            waits.append(self._one("single"))
            time.sleep(max(0.0, EVERY_SECONDS - time.monotonic() + began))
        for name, waited in (("median", statistics.median(waits)), ("worst", max(waits))):
            print(
                f"beside {self.asked.many} of another, {name} of {len(waits)}: {self._ratio(waited)}",
                flush=True,
            )
        self.load.rest()

    def fair(self) -> None:
        """Ten owners, who upload at once."""
        owners = [f"owner-{number}" for number in range(OWNERS)]
        contents = {owner: [self.load.pages(2) for _ in range(self.asked.each)] for owner in owners}
        since = datetime.now(UTC)
        uploads = [
            threading.Thread(target=self.load.upload_all, args=(contents[owner], owner, 1))
            for owner in owners
        ]
        for upload in uploads:
            upload.start()
        for upload in uploads:
            upload.join()
        self.load.rest()
        found = list(indexes(self.load.ended(since), owners, self.asked.each, self.asked.window, since))
        if not found:
            print("ten owners: too few documents for a window in which all had some", flush=True)
            return
        print(
            f"ten owners with {self.asked.each} each, {len(found)} windows of {self.asked.window:.0f} s: "
            f"Jain's index {min(found):.3f} at worst, {statistics.median(found):.3f} in the middle",
            flush=True,
        )

    def bulk(self) -> None:
        """The share of bulk while the first lane is never empty."""
        self.load.upload_all(
            [self.load.pages(20) for _ in range(self.asked.many // 5)], "later", priority="bulk"
        )
        is_over = threading.Event()
        feeds = [threading.Thread(target=self._feed, args=(f"feed-{n}", is_over)) for n in range(6)]
        for feed in feeds:
            feed.start()
        time.sleep(5)
        before = self.load.chunks_done()
        time.sleep(self.asked.window)
        after = self.load.chunks_done()
        is_over.set()
        for feed in feeds:
            feed.join()
        done = {lane: after[lane] - before.get(lane, 0) for lane in after}
        share = done.get("bulk", 0) / max(1, sum(done.values()))
        print(f"while the first lane is full bulk has {share:.0%} of the chunks ({done})", flush=True)

    def _feed(self, owner: str, is_over: threading.Event) -> None:
        while not is_over.is_set():
            self.load.seconds(*self.load.upload_all([self.load.pages(4) for _ in range(4)], owner))

    def total(self) -> float:
        """Many of one owner: documents a CPU-second; printed beside those of a system without lanes."""
        contents = [self.load.pages(2) for _ in range(self.asked.many)]
        cpu, began = self.load.cpu(), time.monotonic()
        self.load.upload_all(contents, "all", 8)
        self.load.rest()
        spent = self.load.cpu() - cpu
        took = time.monotonic() - began
        print(
            f"  {self.asked.many} in {took:.1f} s, {1000 * spent / self.asked.many:.0f} CPU-ms each",
            flush=True,
        )
        return self.asked.many / spent

    def _has_come(self, document_id: str, moment: str | float) -> bool:
        done = self.load.share_done(document_id)
        return isinstance(moment, str) or (done is not None and done >= moment)

    def _one(self, owner: str) -> float:
        return self.load.seconds(self.load.upload(self.load.pages(2), owner))

    def _ten(self, owner: str) -> float:
        return self.load.seconds(*self.load.upload_all([self.load.pages(2) for _ in range(10)], owner))

    @property
    def _median(self) -> float:
        return statistics.median(self.alone)

    def _ratio(self, waited: float) -> str:
        return f"{waited:.2f} s, {waited / self._median:.2f} x idle"


@contextmanager
def bench(asked: argparse.Namespace, settings: dict[str, str] | None = None) -> Iterator[Bench]:
    """A system, and what measures it, once it is warm."""
    defaults = {"AUTH_JWT_SECRET": SECRET, "EMBED_BATCH_CHUNKS": "32"}
    with running({**defaults, **(settings or {})}) as (system, processes, _):
        load = Load(system, processes)
        load.seconds(*load.upload_all([load.pages(2) for _ in range(3)], "first"))
        yield Bench(load, asked)


def main() -> None:
    """Measure and print."""
    rows: dict[str, Callable[[Bench], object]] = {
        "behind": Bench.behind, "ten": Bench.ten, "beside": Bench.beside, "fair": Bench.fair, "bulk": Bench.bulk,
    }  # fmt: skip
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", nargs="+", default=[*rows, "total"], choices=[*rows, "total"])
    parser.add_argument("--pages", type=int, default=2000, help="of the large document")
    parser.add_argument("--many", type=int, default=1000, help="documents of the owner who has many")
    parser.add_argument("--each", type=int, default=100, help="documents of each of ten owners")
    parser.add_argument("--most", type=int, default=1000, help="uploads beside the owner who has many")
    parser.add_argument("--times", type=int, default=5, help="documents on the idle system")
    parser.add_argument("--window", type=float, default=WINDOW_SECONDS, help="seconds of a window")
    asked = parser.parse_args()
    if timed := [row for row in rows if row in asked.rows]:
        with bench(asked) as one:
            one.idle()
            for row in timed:
                cpu = one.load.cpu()
                rows[row](one)
                print(f"  {row}: {one.load.cpu() - cpu:.1f} CPU-s", flush=True)
    if "total" in asked.rows:
        with bench(asked, NO_LANES) as without:
            before = without.total()
        with bench(asked) as one:
            print(
                f"in all: {one.total() / before:.2f} x as many for a CPU-second as without lanes", flush=True
            )


if __name__ == "__main__":
    main()
