"""Lists of documents by each filter and in each order: of a large owner, of a small one, and of everybody's.

The made-up database has 10,000 owners: one has two fifths of all documents, one a tenth, eight a fiftieth each, and
the others the rest, a few each. Of the documents 95 in a hundred are embedded, 4 failed, and one is under way; all
that failed by `corrupt` are among the oldest tenth, so that a walk from the newest meets none for long.

    python -m bench.lists [--documents 1000000] [--times 40] [--plans]
"""

import argparse
import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import psycopg
from sqlalchemy import text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.made_up_owners import database
from contracts.document_calls import Sort
from services.api.access.caller import LOCAL_USER, Caller
from services.api.documents.catalog import ListRequest, list_documents, page_query
from services.runtime.database.engine import create_engine
from services.runtime.database.migrate import migrate

OWNERS = 10_000
BEFORE_INDEXES = "0011"
OLDEST = datetime(2026, 1, 1, tzinfo=UTC)

MAKE = """
INSERT INTO documents (document_id, owner_id, filename, file_type, size, sha256, created_at, attempted_at,
  commanded_at, updated_at, status, status_attempt, error, stages, message, event, outcome_published_at)
SELECT to_char(n, 'FM00000000'),
  CASE WHEN n % 100 < 40 THEN 'owner-0' WHEN n % 100 < 50 THEN 'owner-1'
    WHEN n % 100 < 66 THEN 'owner-' || 2 + n % 8 ELSE 'owner-' || 10 + (n * 7919::bigint) % ({owners} - 10) END,
  CASE WHEN n % 997 = 0 THEN 'Minutes' ELSE (ARRAY['report','invoice','letter','notes','plan'])[1 + n % 5] END
    || ' ' || md5(n::text) || kind.ending,
  kind.type, (n * 104729::bigint) % 10000000, md5(n::text), moment, moment, moment, moment + interval '30 seconds',
  fate.status, 1, fate.error, '{{}}', '', NULL, moment
FROM generate_series(1, {documents}) n,
LATERAL (SELECT timestamptz '2026-01-01' + n * interval '20 seconds' AS moment) at,
LATERAL (SELECT (hashint4(n) & 1023) AS dice) thrown,
LATERAL (SELECT CASE WHEN dice < 700 THEN '.pdf' WHEN dice < 1000 THEN '.md' WHEN dice < 1020 THEN '.html'
  ELSE '.txt' END AS ending, CASE WHEN dice < 700 THEN 'application/pdf' WHEN dice < 1000 THEN 'text/markdown'
  WHEN dice < 1020 THEN 'text/html' ELSE 'text/plain' END AS type) kind,
LATERAL (SELECT CASE WHEN hashint4(n + 1) & 1023 < 41 THEN 'failed' WHEN hashint4(n + 1) & 1023 < 51 THEN 'parsing'
  ELSE 'embedded' END AS status, CASE WHEN hashint4(n + 1) & 1023 < 41 THEN jsonb_build_object('code',
  CASE WHEN n < {documents} / 10 THEN 'corrupt' ELSE 'no_text_layer' END, 'message', 'x', 'stage', 'parsing',
  'retryable', false) END
  AS error) fate
"""

FILTERS: dict[str, dict[str, object]] = {
    "nothing": {},
    "status=embedded": {"status": ["embedded"]},
    "status=failed": {"status": ["failed"]},
    "status=embedding (none)": {"status": ["embedding"]},
    "code=corrupt (oldest)": {"code": ["corrupt"]},
    "fileType=application/pdf": {"file_type": ["application/pdf"]},
    "fileType=text/*": {"file_type": ["text/*"]},
    "fileType=txt (0.4 %)": {"file_type": ["txt"]},
    "name=report": {"name": "report"},
    "name=minutes (0.1 %)": {"name": "minutes"},
    "name=zzz (none)": {"name": "zzz"},
    "created in an hour": {
        "created_after": OLDEST + timedelta(days=1),
        "created_before": OLDEST + timedelta(days=1, hours=1),
    },
    "createdBefore": {"created_before": OLDEST + timedelta(days=2)},
}
CALLERS = {
    "large": Caller("owner-0", sees_all=False),
    "small": Caller("owner-777", sees_all=False),
    "all": LOCAL_USER,
}


async def measure(engine: AsyncEngine, caller: Caller, request: ListRequest, times: int) -> list[float]:
    """Milliseconds of each of so many lists, the first not counted."""
    took = []
    for _ in range(times + 1):
        began = time.perf_counter()
        await list_documents(engine, caller, request)
        took.append((time.perf_counter() - began) * 1000)
    return took[1:]


async def explain(engine: AsyncEngine, caller: Caller, request: ListRequest) -> str:
    """The plan, with the time that the server took."""
    sql = page_query(caller, request).compile(
        dialect=postgresql.dialect(),  # type: ignore[no-untyped-call]  # SQLAlchemy's
        compile_kwargs={"literal_binds": True},
    )
    async with engine.connect() as connection:
        rows = await connection.execute(text("EXPLAIN (ANALYZE, BUFFERS) " + str(sql).replace(":", "\\:")))
        return "\n".join(row[0] for row in rows)


async def measure_all(url: str, times: int, *, plans: bool, most: float) -> None:
    """Print a row for each caller, filter and order."""
    engine = create_engine(url)
    for who, caller in CALLERS.items():
        for what, wanted in FILTERS.items():
            for sort in Sort:
                request = ListRequest.model_validate({**wanted, "sort": sort})
                p50, p99 = np.percentile(await measure(engine, caller, request, times), [50, 99])
                print(f"{who:6} {what:26} {sort.value:11} p50 {p50:8.1f} ms  p99 {p99:8.1f} ms", flush=True)
                if plans and p50 > most:
                    print(await explain(engine, caller, request), flush=True)
    await engine.dispose()


def make(url: str, documents: int) -> None:
    """Fill the table."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(MAKE.format(documents=documents, owners=OWNERS))
        connection.execute("VACUUM (ANALYZE) documents")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=40)
    parser.add_argument("--plans", action="store_true", help="show the plan of what takes more than 10 ms")
    wanted = parser.parse_args(arguments)
    with database(BEFORE_INDEXES) as url:
        began = time.perf_counter()
        make(url, wanted.documents)
        made = time.perf_counter()
        migrate(url)
        indexed = time.perf_counter()
        with psycopg.connect(url) as connection:
            (size,) = connection.execute(
                "SELECT pg_size_pretty(pg_indexes_size('documents')) || ' of indexes beside '"
                " || pg_size_pretty(pg_table_size('documents'))"
            ).fetchone() or ("",)
        print(
            f"{wanted.documents:,} documents in {made - began:.0f} s, upgrade {indexed - made:.0f} s; {size}"
        )
        asyncio.run(measure_all(url, wanted.times, plans=wanted.plans, most=10.0))


if __name__ == "__main__":
    main()
