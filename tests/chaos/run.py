"""One run: a system of its own, load, deaths, and the verdict."""

import asyncio
import random
import time
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from contracts.events import StatusEvent
from local.backing.postgres import EmbeddedPostgres
from local.backing.rabbitmq import PrivateBroker
from services.api.audit.comparison import Audit, audit
from services.runtime.database.engine import create_engine
from services.runtime.object_store import ObjectStore
from tests.chaos.load import Load
from tests.chaos.victims import Reaper, part, service
from tests.support.fakes.waiting import wait_until
from tests.support.system import TERMINAL, Follower, System, following

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

    def run(self) -> Verdict:
        with ExitStack() as stack:
            broker = PrivateBroker(self.directory / "broker")
            database = EmbeddedPostgres(self.directory / "db", durable=False)
            for started in (broker, database):
                stack.callback(started.kill)
                started.start()
            system = self._system(broker.url, database.url)
            stack.callback(system.stop)
            names = ["api"] + [f"{kind}-{n}" for kind in ("embedder", "parser") for n in range(self.workers)]
            system.start(*names)
            # The API less often: while it is away nothing new can go wrong.
            victims = [service(system, name, 1 if name == "api" else 6 // self.workers) for name in names]
            victims += [part("broker", broker, 1), part("database", database, 2)]
            return self._torment(system, Reaper(victims, random.Random(self.seed)))  # noqa: S311 - the same each time

    def _system(self, rabbitmq_url: str, database_url: str) -> System:
        (self.directory / "system").mkdir()
        modules = {} if self.real_model else QUICK_EMBEDDER
        return System(self.directory / "system", rabbitmq_url, database_url, SETTINGS, modules=modules)

    def _torment(self, system: System, reaper: Reaper) -> Verdict:
        load = Load(system, self.seed)
        with following(system) as observer:
            load.start()
            time.sleep(1)
            reaper.reap(self.seconds, self.kills)
            ended = time.monotonic()
            load.stop(reaper.revive)
            settled = _settle(system, reaper, load, 150)
            settled_after = time.monotonic() - ended
            found = _audit(system)
            _catch_up(observer, found)
        outcomes, wrong = _judge(system, load, settled)
        wrong += [f"{finding.what}: {finding.subject} {finding.detail}" for finding in found.findings]
        wrong += check_observer(observer, found)
        wrong += check_webhook(load, found)
        return Verdict(
            self.seed, self.seconds, reaper.kills, reaper.stops, load.answers, load.slowest_refusal, settled_after,
            outcomes, found.counts, observer.connections, wrong,
        )  # fmt: skip


def _settle(system: System, reaper: Reaper, load: Load, within: float) -> dict[str, dict[str, object]]:
    """Wait until every document that was accepted has ended; the documents."""
    shown: dict[str, dict[str, object]] = {}

    def at_rest() -> bool:
        reaper.revive()
        waiting = [key for key in load.accepted if shown.get(key, {}).get("status") not in TERMINAL]
        for document_id in waiting:
            try:
                with system.client() as client:
                    answer = client.get(f"/api/v1/documents/{document_id}")
            except Exception:
                return False
            shown[document_id] = (
                answer.json() if answer.status_code == 200 else {"status": f"{answer.status_code}"}
            )
            if answer.status_code == 404:
                shown[document_id] = {"status": "failed", "error": {"code": "gone"}}
        return all(shown[key]["status"] in TERMINAL for key in load.accepted)

    with suppress(AssertionError):  # The audit tells which.
        wait_until(at_rest, within)
    time.sleep(6)  # longer than the grace, in which the sweeper ends deletions and uploads
    return shown


def _audit(system: System) -> Audit:
    async def look() -> Audit:
        engine = create_engine(system.database_url)
        try:
            objects = ObjectStore((system.directory / "objects").as_uri())
            return await audit(engine, system.rabbitmq_url, objects, tolerance=timedelta(0))
        finally:
            await engine.dispose()

    for _ in range(20):
        found = asyncio.run(look())
        left = {finding.what for finding in found.findings}
        if not left & {"stuck", "deletion unfinished", "object without a document", "chunks left behind"}:
            break
        time.sleep(1)  # A retry that was asked for at the end may still be on its way.
    return found


def _judge(
    system: System, load: Load, shown: dict[str, dict[str, object]]
) -> tuple[dict[str, int], list[str]]:
    outcomes: Counter[str] = Counter()
    wrong = list(load.bugs)
    for document_id, sort in load.accepted.items():
        document = shown.get(document_id, {"status": "unknown"})
        error = document.get("error")
        code = error.get("code") if isinstance(error, dict) else None
        outcomes[f"{sort.name} {code or document['status']}"] += 1
        if document_id in load.touched:
            continue
        if (document["status"], code) != (("failed", sort.code) if sort.code else ("embedded", None)):
            wrong.append(f"{sort.name} {document_id} ended as {document['status']} {error}")
    return dict(sorted(outcomes.items())), wrong


def _catch_up(observer: Follower, found: Audit) -> None:
    wanted = [entry.event.event_id for entry in found.entries if isinstance(entry.event, StatusEvent)]

    def caught_up() -> bool:
        seen = {event["eventId"] for event in observer.events()}
        return set(wanted[-200:]) <= seen

    with suppress(AssertionError):  # Those that are missing are told one by one.
        wait_until(caught_up, 20)


def check_webhook(load: Load, found: Audit) -> list[str]:
    """What the webhook answered with 202 is in the log, in the order of the answers."""
    logged: dict[str, list[str]] = {}
    for entry in found.entries:
        if isinstance(entry.event, StatusEvent) and entry.event.document_id in load.events:
            ids = logged.setdefault(entry.event.document_id, [])
            if entry.event.event_id not in ids:
                ids.append(entry.event.event_id)
    return [
        f"the webhook took {ids} of {document_id}, the log has {logged.get(document_id)}"
        for document_id, ids in load.events.items()
        if logged.get(document_id) != ids
    ]


def check_observer(observer: Follower, found: Audit) -> list[str]:
    """Each event of the log seen at least once, and in the log's order, document by document."""
    logged: dict[str, list[str]] = {}
    for entry in found.entries:
        if isinstance(entry.event, StatusEvent):
            ids = logged.setdefault(entry.event.document_id, [])
            if entry.event.event_id not in ids:
                ids.append(entry.event.event_id)
    seen: dict[str, list[str]] = {}
    for event in observer.events():
        seen.setdefault(event["documentId"], []).append(event["eventId"])
    wrong = [
        f"the observer saw {len(seen.get(key, []))} of {len(ids)} events of {key}, or in another order"
        for key, ids in logged.items()
        if seen.get(key, []) != ids
    ]
    resets = [data for kind, _, data in observer.frames if kind == "reset"]
    return wrong + [f"the observer was told to reset: {data}" for data in resets]
