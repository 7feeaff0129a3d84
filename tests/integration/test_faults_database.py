"""A database that neither answers nor breaks: whoever waits for it is told, and it goes on where it was."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx

from local.backing.postgres import EmbeddedPostgres
from tests.chaos.victims import part
from tests.support.system import System, until


@contextmanager
def stopped(database: EmbeddedPostgres) -> Iterator[None]:
    """All of its processes, as on a machine that froze."""
    victim = part("database", database, 1)
    victim.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        victim.signal(signal.SIGCONT)


def test_while_the_database_is_frozen_every_request_is_answered_and_afterwards_all_is_well(
    own_system: System, short_directory: Path
) -> None:
    database = EmbeddedPostgres(short_directory / "postgres", durable=False)
    database.start()
    own_system.database_url = database.url
    own_system.settings["REQUEST_SECONDS"] = "2"
    try:
        own_system.start("api")
        asks = [
            lambda: httpx.get(f"{own_system.url}/api/v1/documents", timeout=30),
            lambda: httpx.get(f"{own_system.url}/api/v1/documents/unknown", timeout=30),
            lambda: own_system.upload("frozen.txt", b"Nobody knows whether this is new."),
            lambda: own_system.notify(documentId="external", status="parsing"),
        ]
        with stopped(database), ThreadPoolExecutor(len(asks)) as threads:
            began = time.monotonic()
            answers = [asked.result() for asked in [threads.submit(ask) for ask in asks * 6]]
            assert {answer.status_code for answer in answers} == {503}
            assert all(int(answer.headers["retry-after"]) > 0 for answer in answers)
            assert time.monotonic() - began < 6 * 5
            assert httpx.get(f"{own_system.url}/healthz").status_code == 200
            unready = httpx.get(f"{own_system.url}/readyz", timeout=5)
            assert (unready.status_code, unready.json()["database"]) == (503, "no answer in time")
        until(lambda: own_system.upload("thawed.txt", b"It answers again.").status_code == 202)
        until(lambda: own_system.notify(documentId="external", status="parsing").status_code == 202)
    finally:
        own_system.stop()
        database.kill()
