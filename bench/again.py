"""What a document costs that comes again with one page changed, and what is left when all its versions are deleted.

A PDF of many pages is put together from those of a folder, and others in each of which one page is another. They
are uploaded one after another to a system of the benchmark's own. Counted are the vectors that each adds (the texts
that went to the model), the time that its embedding took, and the embedder's CPU time; then what is left of all.

    python -m bench.again FOLDER-OF-PDFS [--pages 500] [--changed 3,130,250,400]
"""

import argparse
import io
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import cycle, islice
from pathlib import Path

import httpx
import psutil
import psycopg
from pypdf import PageObject, PdfReader, PdfWriter
from pypdf.errors import PyPdfError

from bench.documents import await_all, cpu_seconds, running
from tests.support.system import System

LEAST_PAGES = 10
"""Of a document that is taken pages from: prose, and no form."""


def pages_of(folder: Path) -> list[PageObject]:
    """All pages of the folder's longer PDFs, as far as they can be read."""
    pages: list[PageObject] = []
    for path in sorted(folder.glob("*.pdf")):
        try:
            read = list(PdfReader(path).pages)
        except PyPdfError:
            continue
        pages += read if len(read) >= LEAST_PAGES else []
    return pages


def versions(pages: Sequence[PageObject], count: int, changed: Sequence[int]) -> Iterator[bytes]:
    """A PDF of so many pages, and then for each number one in which that page is another."""
    first = list(islice(cycle(pages), count))
    yield written(first)
    for number in changed:
        yield written([*first[:number], pages[-1 - number % len(pages) // 2], *first[number + 1 :]])


def written(pages: Sequence[PageObject]) -> bytes:
    """The bytes of a PDF of these pages."""
    writer, out = PdfWriter(), io.BytesIO()
    for page in pages:
        writer.add_page(page)
    writer.write(out)
    return out.getvalue()


def upload(system: System, client: httpx.Client, content: bytes) -> tuple[str, float]:
    """Upload a version and wait until it is searchable; its id, and the seconds between parsed and embedded."""
    answer = client.post("/api/v1/documents", files={"file": ("report.pdf", content)})
    answer.raise_for_status()
    document_id = str(answer.json()["documentId"])
    with psycopg.connect(system.database_url, autocommit=True) as database:
        await_all(database)
    events = client.get(f"/api/v1/documents/{document_id}").json()["stages"]
    times = [datetime.fromisoformat(events["embedding"][end]) for end in ("startedAt", "endedAt")]
    return document_id, (times[1] - times[0]).total_seconds()


def counted(system: System, table: str) -> int:
    """The rows of a table."""
    with psycopg.connect(system.database_url, autocommit=True) as database:
        row = database.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()  # noqa: S608 - ours
    return int(row[0]) if row else 0


def measure(system: System, embedder: psutil.Process, contents: Iterator[bytes]) -> None:
    """Print a line for each version."""
    documents, first = [], 0
    with httpx.Client(base_url=system.url, timeout=600, trust_env=False) as client:
        for content in contents:
            chunks, vectors, cpu = (
                counted(system, "chunks"),
                counted(system, "vectors"),
                cpu_seconds(embedder),
            )
            document_id, seconds = upload(system, client, content)
            documents.append(document_id)
            new = counted(system, "vectors") - vectors
            first = first or new
            print(
                f"{counted(system, 'chunks') - chunks:,} chunks: {new:,} embedded ({100 * new / first:.2f} %), "
                f"{seconds:.1f} s, {cpu_seconds(embedder) - cpu:.1f} CPU-s of the embedder",
                flush=True,
            )
        for document_id in documents:
            client.delete(f"/api/v1/documents/{document_id}").raise_for_status()
    began = time.monotonic()
    while counted(system, "vectors") and time.monotonic() - began < 600:
        time.sleep(1)
    print(
        f"deleted: {counted(system, 'vectors')} vectors and {counted(system, 'unused_vectors')} notes are left "
        f"after {time.monotonic() - began:.0f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pages", type=int, default=500)
    parser.add_argument("--changed", default="3,130,250,400")
    asked = parser.parse_args()
    changed = [int(number) for number in asked.changed.split(",")]
    with running({"GRACE_SECONDS": "2", "SWEEP_SECONDS": "1"}) as (system, processes, _):
        measure(system, processes["embedder"], versions(pages_of(asked.folder), asked.pages, changed))


if __name__ == "__main__":
    main()
