"""Owners who upload made-up documents, and when those were searchable."""

import random
import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import jwt
import psutil
import psycopg

from bench.documents import cpu_seconds
from tests.support.documents import pdf
from tests.support.system import System

SECRET = "for the benchmark alone, and long enough for HS256"  # noqa: S105 - it opens nothing
PAGE_LINES, LINE_WORDS = 30, 9
_WORDS = sorted(
    set(
        re.findall(
            r"[a-z]{3,12}", " ".join(str(m.__doc__) for m in (random, re, time, httpx, psycopg, psutil))
        )
    )
)
LONGEST_SECONDS = 3600.0
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Uploaded:
    """A document on its way, and the moment at which its upload began."""

    document_id: str
    began_at: datetime


@dataclass(frozen=True)
class Ended:
    """A document that is searchable."""

    owner: str
    at: datetime


class Load:
    """Uploads to a system, and asks its database, whose answers cost the system less than those of the API."""

    def __init__(self, system: System, processes: dict[str, psutil.Process], seed: int = 1) -> None:
        self._processes = processes
        self._random = random.Random(seed)
        self._client = httpx.Client(base_url=system.url, timeout=120, trust_env=False)
        self._database = psycopg.connect(system.database_url, autocommit=True)

    def pages(self, count: int) -> bytes:
        """A PDF of so many pages of words, unlike any other."""
        return pdf(*(self._page() for _ in range(count)))

    def upload(self, content: bytes, owner: str, **query: str) -> Uploaded:
        """Upload a file; where the server is full, again."""
        until = datetime.now(UTC) + timedelta(hours=1)
        token = jwt.encode({"sub": owner, "exp": until}, SECRET, "HS256")
        began_at = datetime.now(UTC)
        while True:
            answer = self._client.post(
                "/api/v1/documents",
                files={"file": ("made-up.pdf", content)},
                params=query,
                headers={"Authorization": f"Bearer {token}"},
            )
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            time.sleep(0.2)
        answer.raise_for_status()
        return Uploaded(answer.json()["documentId"], began_at)

    def upload_all(
        self, contents: Sequence[bytes], owner: str, at_once: int = 4, **query: str
    ) -> list[Uploaded]:
        """Upload files, some at a time."""
        with ThreadPoolExecutor(at_once) as pool:
            return list(pool.map(lambda content: self.upload(content, owner, **query), contents))

    def seconds(self, *uploaded: Uploaded) -> float:
        """Wait until all are searchable; the seconds from the first upload's beginning to the last one's end."""
        ends = [self._end(one.document_id) for one in uploaded]
        return (max(ends) - min(one.began_at for one in uploaded)).total_seconds()

    def _end(self, document_id: str) -> datetime:
        deadline = time.monotonic() + LONGEST_SECONDS
        while time.monotonic() < deadline:
            row = self._database.execute(
                "SELECT outcome->>'status', outcome->>'timestamp' FROM documents WHERE document_id = %s",
                (document_id,),
            ).fetchone()
            if row and row[1]:
                if row[0] != "embedded":
                    raise RuntimeError(f"{document_id} is {row[0]}")
                return datetime.fromisoformat(row[1])
            time.sleep(POLL_SECONDS)
        raise TimeoutError(document_id)

    def unfinished(self) -> int:
        """Documents without an outcome."""
        row = self._database.execute("SELECT count(*) FROM documents WHERE outcome IS NULL").fetchone()
        return int(row[0]) if row else 0

    def rest(self) -> None:
        """Wait until nothing is under way."""
        while self.unfinished():
            time.sleep(POLL_SECONDS)

    def share_done(self, document_id: str) -> float | None:
        """How much of a document is embedded, from 0 to 1; None while it is not parsed."""
        row = self._database.execute(
            "SELECT embedded_count, chunk_count FROM attempts WHERE document_id = %s", (document_id,)
        ).fetchone()
        return row[0] / row[1] if row else None

    def chunks_done(self) -> dict[str, int]:
        """Chunks that are embedded, by lane."""
        rows = self._database.execute(
            "SELECT d.lane, sum(a.embedded_count) FROM attempts a"
            " JOIN documents d ON d.document_id = a.document_id GROUP BY d.lane"
        )
        return {lane: int(count) for lane, count in rows}

    def ended(self, since: datetime) -> list[Ended]:
        """The documents that have become searchable since, in that order."""
        rows = self._database.execute(
            "SELECT owner_id, outcome->>'timestamp' FROM documents WHERE outcome->>'status' = 'embedded'"
        ).fetchall()
        all_ended = [Ended(owner, datetime.fromisoformat(at)) for owner, at in rows]
        return sorted((one for one in all_ended if one.at >= since), key=lambda one: one.at)

    def cpu(self) -> float:
        """CPU-seconds of all processes so far."""
        return sum(cpu_seconds(process) for process in self._processes.values())

    def _page(self) -> str:
        lines = (" ".join(self._random.choices(_WORDS, k=LINE_WORDS)) for _ in range(PAGE_LINES))
        return "\n".join(line.capitalize() + "." for line in lines)
