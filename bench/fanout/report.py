"""Writes the figures down: a table, the ratios that were asked for, and a plot."""

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.fanout.measuring import ASKED

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "benchmarks" / "fanout.md"
PLOT = PAGE.with_suffix(".svg")
Figures = dict[str, Any]

HEAD = """# Fan-out: server CPU for each delivered event

`python -m bench.fanout` opens event streams to our API as it is (events arrive through RabbitMQ, the
projector writes to PostgreSQL, all in the measured process), to four other servers that do nothing
else, each written as its users write it (`bench/fanout/servers`), and to a floor. Figures of one run,
{date}; load average {load:.1f} before and {load_after:.1f} after, on 2 virtual processors that are shared
with other work, so that ratios mean more than absolute figures, and small ones little.

Server CPU in µs for each delivered event (user and system, with threads and children), milliseconds from
publish to receipt, KiB of resident memory for each idle connection:

| connections | server | 10/s: CPU | p50 | p99 | burst: CPU | p50 | p99 | memory | delivered in the burst |
| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
"""

METHOD = """
![CPU for each delivered event](fanout.svg)

## Method

- The server runs on core 0; the load client (C, one thread, epoll), publisher, broker and database share
  core 1, so that a burst's latency contains their time as well.
- The event is a status event of about 330 bytes as JSON, about 430 as a frame; it carries a number, by
  which each stream is checked for gaps and repeats, and the time of its publication on the machine's
  monotonic clock.
- "10/s" are 50 events at that pace; at 1,000 connections five times, the servers in turn, and the round of
  the median CPU is shown. Nothing filters packets on the loopback: with connection tracking (which Docker
  switches on) each send costs every server a microsecond more, and ratios come nearer to 1.
- "Burst" is 1,000 events as fast as the way in takes them: confirmed publishes, a hundred in flight, to
  RabbitMQ for ours; lines of one request for Express and the Python servers, which is cheaper for them than a
  request each; a request each, one after the other, for nchan, which has no other way. That spreads nchan's
  burst over a longer time than ours. Fewer events for servers and numbers of connections that would take
  minutes; the last column tells. Latencies end at 20 seconds, and a server that delivers nothing for some
  seconds is given up.
- "floor" is no server: one `send()` of one buffer to each socket for each event, in C, and nothing else.
  Whoever sends each event at once pays at least that; below it are only those who send several at a time.
- CPU is the kernel's account of run time (`/proc/PID/task/*/schedstat`), so without the broker's (which
  every hub with a durable log would have, and the others have not) and the database's.
- Memory is resident memory after all streams are open, less that before the first, divided; without the
  kernel's socket buffers.
"""


def write_report(results: Figures, python: Path) -> None:
    """Write docs/benchmarks/fanout.md and its plot, drawn by an interpreter that has matplotlib."""
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    date = datetime.now(UTC).date().isoformat()
    text = HEAD.format(date=date, load=results["load"], load_after=results["loadAfter"])
    text += "\n".join(map(_row, results["fanout"])) + "\n"
    text += _ratios(results["fanout"])
    if results["ours"]:
        text += _ours(results["ours"], results["fanout"])
    PAGE.write_text(text + METHOD)
    plot = Path(__file__).with_name("plot.py")
    subprocess.run([python, plot, PLOT], input=json.dumps(results).encode(), check=True)


def _row(figures: Figures) -> str:
    steady, burst = figures["steady"], figures["burst"]
    whole = "all" if burst["deliveries"] == burst["expected"] else f"{burst['deliveries']:,} of"
    cells = [
        f"{figures['connections']:,}",
        figures["name"],
        f"{steady['cpuMicroseconds']:.1f}",
        f"{steady['p50Ms']:.1f}",
        f"{steady['p99Ms']:.1f}",
        *_burst(burst),
        f"{figures['bytesPerConnection'] / 1024:.1f}",
        f"{whole} {burst['expected']:,}",
    ]
    return f"| {' | '.join(cells)} |"


def _burst(burst: Figures) -> list[str]:
    if burst["deliveries"] < burst["expected"]:
        return ["given up", "", ""]
    return [f"{burst['cpuMicroseconds']:.2f}", f"{burst['p50Ms']:.0f}", f"{burst['p99Ms']:.0f}"]


def _ratios(rows: list[Figures]) -> str:
    found = {(row["name"], row["connections"]): row for row in rows}
    lines = ["", f"What was asked for at {ASKED:,} connections, as our CPU divided by theirs:", ""]
    lines += ["| | asked | measured |", "| --- | ---: | ---: |"]
    asked = [
        ("burst", "Express", 1 / 20),
        ("burst", "sse-starlette", 1 / 40),
        ("burst", "nchan", 1 / 5),
        ("steady", "Express", 0.6),
        ("steady", "nchan", 1.0),
    ]
    ours = found.get(("Stagecast", ASKED))
    for part, name, limit in asked:
        peer = found.get((name, ASKED))
        if ours and peer:
            ratio = ours[part]["cpuMicroseconds"] / peer[part]["cpuMicroseconds"]
            lines.append(
                f"| {part}, {name} | {_fraction(limit)} | {_fraction(ratio)}{_rounds(part, ours, peer)} |"
            )
    if ours and (peer := found.get(("nchan", ASKED))):
        lines.append(
            f"| memory, nchan | 1.00 | {_fraction(ours['bytesPerConnection'] / peer['bytesPerConnection'])} |"
        )
    if ours and (floor := found.get(("floor", ASKED))):
        ratio = ours["steady"]["cpuMicroseconds"] / floor["steady"]["cpuMicroseconds"]
        lines.append(f"| steady, floor | | {_fraction(ratio)} |")
    return "\n".join(lines) + "\n"


def _rounds(part: str, ours: Figures, peer: Figures) -> str:
    """The least and the greatest ratio that the rounds allow: ours at its best by theirs at its worst, and back."""
    if part != "steady" or len(ours.get("steadyRounds", [])) < 2:
        return ""
    mine, theirs = ours["steadyRounds"], peer["steadyRounds"]
    return f" ({_fraction(mine[0] / theirs[-1])} to {_fraction(mine[-1] / theirs[0])})"


def _fraction(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio > 0.4 else f"1/{1 / ratio:.0f}"


def _ours(ours: Figures, rows: list[Figures]) -> str:
    stalled, idle = ours["stalled"], ours["idle"]
    plain = next(
        (row["burst"] for row in rows if (row["name"], row["connections"]) == ("Stagecast", ASKED)), stalled
    )
    return f"""
Ours alone:

- **A tenth of 1,000 clients stop reading** during the burst: the other 900 get
  {stalled["deliveries"]:,} of {stalled["expected"]:,} events
  at {stalled["cpuMicroseconds"]:.2f} µs each, p99 {stalled["p99Ms"]:.0f} ms
  (all reading: {plain["cpuMicroseconds"]:.2f} µs, {plain["p99Ms"]:.0f} ms).
- **Reconnect storm**, 5,000 clients within 2 seconds, each 500 events behind:
  {_storm(ours["storm"])}
- **The same to a server that has just started**, whose memory of the log is what it read then:
  {_storm(ours["stormAfterRestart"])}
- **{idle["connections"]:,} idle connections** in one process: {idle["bytesPerConnection"] / 1024:.1f} KiB each,
  {idle["cpuShare"] * 100:.1f} % of a core with heartbeats and comments,
  {idle["open"]:,} still open after half a minute.
"""


def _storm(figures: Figures) -> str:
    lost = figures["expected"] - figures["deliveries"]
    return (
        f"{figures['deliveries']:,} deliveries, {lost} lost, {figures['outOfOrder']} out of order, "
        f"{figures['seconds']:.1f} s from the first connect to the last event, "
        f"{figures['memoryBytes'] / 2**20:.0f} MiB more memory for all of them."
    )
