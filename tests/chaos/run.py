"""One run: a system of its own, load, deaths, and the verdict."""

import random
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from local.backing.postgres import EmbeddedPostgres
from local.backing.rabbitmq import PrivateBroker
from tests.chaos.judgement import audit_of, catch_up, check_observer, check_webhook, judge, settle
from tests.chaos.load import Load
from tests.chaos.victims import Reaper, part, service
from tests.support.faulty_network import FaultyNetwork, cutting, network_before
from tests.support.system import System, following

SETTINGS = {
    "SWEEP_SECONDS": "1",
    "GRACE_SECONDS": "4",
    "SILENCE_SECONDS": "15",
    "UPLOAD_SECONDS": "5",
    "SHUTDOWN_SECONDS": "3",
    "HEARTBEAT_SECONDS": "0.5",
    "EMBED_BATCH_CHUNKS": "4",
    "PARSE_CONCURRENCY": "1",
}
QUICK_EMBEDDER = {"embedder": "tests.support.fakes.dummy_embedder"}


@dataclass
class Verdict:
    """What was done, and what is wrong afterwards (nothing)."""

    seed: int
    seconds: float
    kills: dict[str, int]
    stops: dict[str, int]
    answers: dict[int, int]
    slowest_refusal: float
    settled_after: float
    outcomes: dict[str, int]
    counts: dict[str, int]
    connections: int
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        kills, stops = sum(self.kills.values()), sum(self.stops.values())
        lines = [
            f"seed {self.seed}, {self.seconds:.0f} s of chaos",
            f"{kills} kills {self.kills}, {stops} stops {self.stops}",
            f"answers by status (0: none) {dict(sorted(self.answers.items()))}",
            f"slowest 503 after {self.slowest_refusal:.1f} s; the observer connected {self.connections} times",
            f"all at rest {self.settled_after:.0f} s after the last death: {self.outcomes}",
            f"audit: {self.counts}",
            f"lost or wrong: {len(self.wrong)}",
        ]
        return "\n".join([*lines, *self.wrong[:60]])


@dataclass
class Chaos:
    """A broker, a database and services that may all be killed."""

    directory: Path
    seed: int
    seconds: float
    kills: int = 0
    """At least; a slow machine takes longer than ``seconds`` for them."""
    workers: int = 1
    real_model: bool = False
    by_command: bool = False
    """Services start as an operator starts them, at the price of their imports each time."""
    cut_rate: float = 0.0
    """The part of connections, and of pieces that pass on them, to broker and database, that is cut meanwhile."""

    def run(self) -> Verdict:
        with ExitStack() as stack:
            broker = PrivateBroker(self.directory / "broker")
            database = EmbeddedPostgres(self.directory / "db", durable=False)
            for started in (broker, database):
                stack.callback(started.kill)
                started.start()
            urls = [broker.url, database.url]
            networks = [stack.enter_context(network_before(url)) for url in urls] if self.cut_rate else []
            system = self._system(*([network.url for network in networks] or urls))
            stack.callback(system.stop)
            names = ["api"] + [f"{kind}-{n}" for kind in ("embedder", "parser") for n in range(self.workers)]
            system.start(*names)
            # The API less often: while it is away nothing new can go wrong.
            victims = [service(system, name, 1 if name == "api" else 6 // self.workers) for name in names]
            victims += [part("broker", broker, 1), part("database", database, 2)]
            reaper = Reaper(victims, random.Random(self.seed))  # noqa: S311 - the same each time
            return self._torment(system, reaper, networks)

    def _system(self, rabbitmq_url: str, database_url: str) -> System:
        (self.directory / "system").mkdir()
        system = System(self.directory / "system", rabbitmq_url, database_url, dict(SETTINGS))
        system.modules = {} if self.real_model else dict(QUICK_EMBEDDER)
        system.by_command = self.by_command
        return system

    def _torment(self, system: System, reaper: Reaper, networks: Sequence[FaultyNetwork]) -> Verdict:
        load = Load(system, self.seed)
        with following(system) as observer:
            load.start()
            time.sleep(1)
            with cutting(self.cut_rate, *networks):
                reaper.reap(self.seconds, self.kills)
            ended = time.monotonic()
            load.stop(reaper.revive)
            settled = settle(system, load, 150, reaper.revive)
            settled_after = time.monotonic() - ended
            found = audit_of(system)
            catch_up(observer, found)
        outcomes, wrong = judge(system, load, settled)
        wrong += [f"{finding.what}: {finding.subject} {finding.detail}" for finding in found.findings]
        wrong += check_observer(observer, found)
        wrong += check_webhook(load, found)
        return Verdict(
            self.seed, self.seconds, reaper.kills, reaper.stops, load.answers, load.slowest_refusal, settled_after,
            outcomes, found.counts, observer.connections, wrong,
        )  # fmt: skip
