"""Server CPU for each delivered event, latency and memory: our API beside four other servers.

Events reach our API through RabbitMQ, and the others through the cheapest way they have. Each server runs on
core 0, the load client (compiled) and everything else on core 1. Needs gcc, node and npm, taskset, RabbitMQ as
for the tests; the peers are fetched into ``--directory``.

    python -m bench.fanout [--connections 100 1000 5000] [--only NAME …] [--directory …]
"""

import argparse
import asyncio
import os
import shutil
import tempfile
from pathlib import Path

from bench.fanout.client import CLIENT_CORE, compile_client
from bench.fanout.contenders import Contender, Stagecast
from bench.fanout.measuring import Bench
from bench.fanout.report import write_report
from bench.fanout.setup import FIRST_PORT, peers, peers_python
from local.backing.postgres import EmbeddedPostgres
from local.backing.rabbitmq import PrivateBroker

CACHE = Path(tempfile.gettempdir()) / "stagecast-fanout"


def main() -> None:
    """Measure, print and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, nargs="+", default=[100, 1000, 5000])
    parser.add_argument("--only", nargs="+", help="names of contenders")
    parser.add_argument("--directory", type=Path, default=CACHE)
    parser.add_argument("--no-report", action="store_true", help="print, and leave docs/benchmarks alone")
    options = parser.parse_args()
    options.directory.mkdir(parents=True, exist_ok=True)
    others = peers(options.directory)
    program = compile_client(options.directory)
    os.sched_setaffinity(0, {CLIENT_CORE})  # the broker, the database and the publisher inherit it
    work = Path(tempfile.mkdtemp(prefix="stagecast-fanout-"))
    broker, database = PrivateBroker(work / "rabbitmq"), EmbeddedPostgres(work / "postgres", durable=False)
    broker.start()
    database.start()
    try:
        ours = Stagecast(
            "Stagecast",
            FIRST_PORT + 4,
            rabbitmq_url=broker.url,
            database_url=database.url,
            data_dir=str(work / "data"),
        )
        contenders: list[Contender] = [ours, *others]
        wanted = [one for one in contenders if not options.only or one.name in options.only]
        bench = Bench(program, options.directory)
        results = asyncio.run(bench.run(wanted, options.connections, ours if ours in wanted else None))
    finally:
        database.stop()
        broker.kill()
        shutil.rmtree(work, ignore_errors=True)
    if not options.no_report:
        write_report(results, peers_python(options.directory))


if __name__ == "__main__":
    main()
