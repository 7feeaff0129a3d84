"""What a small document costs: CPU time of each process, and statements and commits at the database.

Notes of 60 words are uploaded, several at a time, to a system of the benchmark's own (private broker, embedded
database, one process of each service), until all are searchable. CPU time is read from the kernel before and after,
so neighbours on the machine hardly count. The bound named beside it is the model alone on the same texts, in
one process and one by one, as they come. Statements are counted in a second, shorter round, from the server's own
log, which is off in the first.

    python -m bench.documents [--notes 2000] [--at-once 16] [--counted 200]
"""

import argparse
import random
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import psutil
import psycopg

from local.backing.postgres import EmbeddedPostgres
from local.backing.rabbitmq import PrivateBroker
from tests.support.system import System

NOTE_WORDS = 60
START_SECONDS = 400.0
"""Beside neighbours that leave little, the model alone takes minutes to load."""
SETTLE_SECONDS = 3.0
"""After the last document: what the projector and the log still owe belongs to the documents."""

_LOGGED = re.compile(r"LOG:  (?:statement|execute [^:]*):\s*(\w*)")


def notes(count: int, seed: int) -> list[bytes]:
    """Texts of 60 words of English, all different."""
    chosen = random.Random(seed)
    words = sorted(
        set(re.findall(r"[a-z]{3,12}", __doc__ + (re.__doc__ or "") + (argparse.__doc__ or "") + _PROSE))
    )
    return [" ".join(chosen.choices(words, k=NOTE_WORDS)).encode() for _ in range(count)]


_PROSE = " ".join(module.__doc__ or "" for module in (random, tempfile, time, psycopg, httpx, psutil))


def cpu_seconds(process: psutil.Process) -> float:
    """User and system time of a process, of its children, and of those that it has waited for."""
    total = 0.0
    for one in (process, *process.children(recursive=True)):
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
        if one is process:
            total += times.children_user + times.children_system
    return total


def upload_all(system: System, texts: Sequence[bytes], at_once: int) -> float:
    """Upload and wait until all are searchable; seconds of wall time."""
    began = time.monotonic()
    with httpx.Client(base_url=system.url, timeout=60, trust_env=False) as client:

        def upload(number: int) -> None:
            while not upload_one(client, f"note-{number}.txt", texts[number]):
                time.sleep(0.2)

        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(upload, range(len(texts))))
        with psycopg.connect(system.database_url, autocommit=True) as database:
            await_all(database)
    return time.monotonic() - began


def upload_one(client: httpx.Client, name: str, text: bytes) -> bool:
    """Upload a file; false when the server asks to come again."""
    answer = client.post("/api/v1/documents", files={"file": (name, text)})
    if answer.status_code == 503:
        return False
    answer.raise_for_status()
    return True


def await_all(database: psycopg.Connection) -> None:
    """Wait until no document is under way."""
    while database.execute("SELECT count(*) FROM documents WHERE status <> 'embedded'").fetchone() != (0,):
        time.sleep(0.25)


@contextmanager
def running(
    settings: Mapping[str, str] | None = None,
) -> Iterator[tuple[System, dict[str, psutil.Process], Path]]:
    """A system, with ``settings`` of its own, its processes by name, and the database's log."""
    with ExitStack() as stack:
        # Short, for a socket's name; and open to the account that the database runs as.
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stagecast-bench-")))
        directory.chmod(0o711)
        broker = PrivateBroker(directory / "rabbitmq")
        database = EmbeddedPostgres(directory / "postgres")
        for part in (broker, database):
            part.start()
            stack.callback(part.stop)
        data = directory / "data"
        data.mkdir()
        system = System(data, broker.url, database.url)
        stack.callback(system.stop)
        system.settings |= {
            "RATE_PER_ADDRESS": "1000000/minute",
            "RATE_PER_USER": "1000000/minute",
            **(settings or {}),
        }
        system.start("embedder", "api", "parser", within=START_SECONDS)
        pids = {name: process.pid for name, process in system.processes.items()}
        pids |= {"broker": broker.pid or 0, "database": database.pid or 0}
        yield (
            system,
            {name: psutil.Process(pid) for name, pid in pids.items()},
            directory / "postgres" / "postgres.log",
        )


def measure_cpu(system: System, processes: dict[str, psutil.Process], count: int, at_once: int) -> None:
    """Print milliseconds of CPU for each note, by process."""
    upload_all(system, notes(50, seed=1), at_once)
    before = {name: cpu_seconds(process) for name, process in processes.items()}
    took = upload_all(system, notes(count, seed=2), at_once)
    time.sleep(SETTLE_SECONDS)
    spent = {
        name: (cpu_seconds(process) - before[name]) * 1000 / count for name, process in processes.items()
    }
    print(f"{count} notes, {at_once} at a time: {count / took:.1f} a second end to end")
    for name, milliseconds in sorted(spent.items(), key=lambda pair: -pair[1]):
        print(f"  {name:<10} {milliseconds:6.1f} CPU-ms a note")
    print(f"  {'all':<10} {sum(spent.values()):6.1f} CPU-ms a note")


def measure_statements(system: System, log: Path, count: int, at_once: int) -> None:
    """Print what the database was asked for each note."""
    with psycopg.connect(system.database_url, autocommit=True) as database:
        database.execute("ALTER ROLE postgres SET log_statement = 'all'")
        database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND application_name = 'stagecast'"
        )
    upload_all(system, notes(50, seed=4), at_once)  # on new connections, which have types to ask for first
    time.sleep(SETTLE_SECONDS)
    quiet = idle_rate(log, SETTLE_SECONDS)
    start, began, committed = log.stat().st_size, time.monotonic(), transactions(system)
    upload_all(system, notes(count, seed=3), at_once)
    idle = quiet * (time.monotonic() - began)
    logged = Counter(kinds(log, start))
    total = sum(logged.values())
    print(f"{count} notes, statements for each (of {total}, {idle:.0f} are those of an idle system):")
    for kind, times in logged.most_common(12):
        print(f"  {kind:<16} {times / count:6.2f}")
    print(f"  {'all':<16} {total / count:6.2f}")
    print(
        f"  transactions     {(transactions(system) - committed) / count:6.2f} (with those of one statement)"
    )


def idle_rate(log: Path, seconds: float) -> float:
    """Statements a second while nothing is uploaded."""
    start = log.stat().st_size
    time.sleep(seconds)
    return sum(1 for _ in kinds(log, start)) / seconds


def kinds(log: Path, start: int) -> Iterator[str]:
    """The first word of each statement that was logged since."""
    with log.open("rb") as file:
        file.seek(start)
        for line in file.read().decode(errors="replace").splitlines():
            if match := _LOGGED.search(line):
                yield match[1].upper() or "WITH"


def transactions(system: System) -> int:
    """Transactions that were committed so far, those of a single statement included."""
    with psycopg.connect(system.database_url, autocommit=True) as database:
        row = database.execute(
            "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    return int(row[0]) if row else 0


def measure_model(count: int) -> None:
    """Print what the model alone takes for the same texts, one at a time: the bound."""
    from services.embedder.loading import load_model
    from services.embedder.model_options import ModelOptions
    from services.runtime.bundled_model import BUNDLED_MODEL

    model = load_model(BUNDLED_MODEL, ModelOptions(threads=1))
    texts = [text.decode() for text in notes(count, seed=2)]
    model.embed(texts[:20])
    began = time.process_time()
    for text in texts:
        model.embed([text])
    print(f"  the model alone, one note at a time: {(time.process_time() - began) * 1000 / count:.1f} CPU-ms")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--notes", type=int, default=2000)
    parser.add_argument("--at-once", type=int, default=16)
    parser.add_argument("--counted", type=int, default=200)
    given = parser.parse_args()
    with running() as (system, processes, log):
        measure_cpu(system, processes, given.notes, given.at_once)
        measure_model(min(given.notes, 200))
        measure_statements(system, log, given.counted, given.at_once)


if __name__ == "__main__":
    main()
