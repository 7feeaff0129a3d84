"""The measurements of each server, each in bounded time."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from bench.fanout.client import Client
from bench.fanout.contenders import Contender, Stagecast
from bench.fanout.publishers import Publisher

ASKED = 1000
"""Connections at which ratios are asked for, and measured most carefully."""
STEADY_EVENTS = 50
STEADY_ROUNDS = 5
"""Of which the median counts. Contenders take turns: what else the machine does meets all of them."""
STEADY_PER_SECOND = 10
BURST_EVENTS = 1000
WARM_UP_EVENTS = 20
WAIT_SECONDS = 60.0
STORM_CLIENTS = 5000
STORM_EVENTS = 500
STORM_SPREAD_SECONDS = 2.0
IDLE_CLIENTS = 10_000
IDLE_SECONDS = 31.0
"""Longer than the interval of heartbeats."""

Figures = dict[str, Any]


@dataclass
class Bench:
    """Runs every measurement with the compiled client ``program``."""

    program: Path
    directory: Path

    async def run(self, contenders: list[Contender], sizes: list[int], ours: Stagecast | None) -> Figures:
        """All figures: of each contender at each number of connections, and what only ours can do."""
        results: Figures = {"load": os.getloadavg()[0], "fanout": [], "ours": {}}
        for size in sizes:
            for contender in contenders:
                figures = await self._fanout(contender, size)
                results["fanout"].append(figures)
                self.save(results)
                print(_line(figures), flush=True)
            if size == ASKED:
                await self._repeat_steady(contenders, size, results["fanout"][-len(contenders) :])
        if ours is not None:
            results["ours"] = {
                "stalled": await self._stalled(ours),
                "storm": await self._storm(ours, restart=False),
                "stormAfterRestart": await self._storm(ours, restart=True),
                "idle": await self._idle(ours),
            }
            print(results["ours"], flush=True)
        results["loadAfter"] = os.getloadavg()[0]
        self.save(results)
        return results

    def save(self, results: Figures) -> None:
        """Keep what was measured so far."""
        (self.directory / "results.json").write_text(json.dumps(results, indent=1))

    async def _fanout(self, contender: Contender, connections: int) -> Figures:
        async with self._following(contender, connections) as (client, publisher, memory):
            steady = await self._steady(contender, client, publisher, connections)
            count = min(BURST_EVENTS, contender.burst_deliveries // connections)
            burst = await self._burst(contender, client, publisher, connections, count)
        return {
            "name": contender.name,
            "connections": connections,
            "bytesPerConnection": memory,
            "steady": steady,
            "burst": burst,
        }

    async def _repeat_steady(
        self, contenders: list[Contender], connections: int, rows: list[Figures]
    ) -> None:
        """Measure the steady pace again, in turns, and leave the round of the median CPU in each row."""
        rounds = [[row["steady"]] for row in rows]
        for _ in range(STEADY_ROUNDS - 1):
            for contender, of_one in zip(contenders, rounds, strict=True):
                async with self._following(contender, connections) as (client, publisher, _memory):
                    of_one.append(await self._steady(contender, client, publisher, connections))
        for row, of_one in zip(rows, rounds, strict=True):
            of_one.sort(key=lambda steady: steady["cpuMicroseconds"])
            row["steady"] = of_one[len(of_one) // 2]
            row["steadyRounds"] = [round(steady["cpuMicroseconds"], 2) for steady in of_one]
            print(
                f"{row['name']:>14} {connections:>6}  10/s, each round: {row['steadyRounds']} µs", flush=True
            )

    @asynccontextmanager
    async def _following(
        self, contender: Contender, connections: int
    ) -> AsyncIterator[tuple[Client, Publisher, float]]:
        """A server with open, warm streams, a publisher to it, and its bytes for each stream."""
        self._start(contender)
        try:
            before = contender.memory_bytes()
            client = await self._client(contender, connections)
            await asyncio.sleep(1)
            memory = (contender.memory_bytes() - before) / connections
            publisher = await contender.publisher()
            try:
                await self._warm_up(client, publisher, connections)
                yield client, publisher, memory
            finally:
                await publisher.close()
                await client.stop()
        finally:
            contender.stop()

    async def _steady(
        self, contender: Contender, client: Client, publisher: Publisher, connections: int
    ) -> Figures:
        cpu = contender.cpu_seconds()
        for index in range(STEADY_EVENTS):
            due = time.monotonic() + 1 / STEADY_PER_SECOND
            await publisher.publish(1)
            if index < STEADY_EVENTS - 1:
                await asyncio.sleep(due - time.monotonic())
        figures = await client.await_deliveries(STEADY_EVENTS * connections, WAIT_SECONDS)
        return _per_delivery(figures, contender.cpu_seconds() - cpu, STEADY_EVENTS * connections)

    async def _burst(
        self, contender: Contender, client: Client, publisher: Publisher, connections: int, count: int
    ) -> Figures:
        cpu = contender.cpu_seconds()
        await publisher.publish(count)
        figures = await client.await_deliveries(count * connections, WAIT_SECONDS)
        return _per_delivery(figures, contender.cpu_seconds() - cpu, count * connections)

    async def _stalled(self, ours: Stagecast) -> Figures:
        """A tenth of a thousand clients read nothing during a burst."""
        connections, stalled = 1000, 100
        self._start(ours)
        try:
            client = await self._client(ours, connections)
            publisher = await ours.publisher()
            await self._warm_up(client, publisher, connections)
            await client.stall(stalled)
            figures = await self._burst(ours, client, publisher, connections - stalled, BURST_EVENTS)
            await publisher.close()
            await client.stop()
        finally:
            ours.stop()
        return {"stalled": stalled, **figures}

    async def _storm(self, ours: Stagecast, *, restart: bool) -> Figures:
        """Clients come back, each behind, to a server that knows them or to one that has just started."""
        self._start(ours)
        try:
            position = await asyncio.to_thread(_position, ours.port)
            publisher = await ours.publisher()
            await publisher.publish(STORM_EVENTS)
            await publisher.close()
            if restart:
                ours.stop()
                self._start(ours)
            cpu, before = ours.cpu_seconds(), ours.memory_bytes()
            client = await self._client(
                ours, STORM_CLIENTS, spread=STORM_SPREAD_SECONDS, header=f"Last-Event-ID: {position}"
            )
            expected = STORM_CLIENTS * STORM_EVENTS
            figures = await client.await_deliveries(expected, WAIT_SECONDS)
            figures["openingSeconds"] = client.opening_seconds
            figures["memoryBytes"] = ours.memory_bytes() - before
            figures = _per_delivery(figures, ours.cpu_seconds() - cpu, expected)
            await client.stop()
        finally:
            ours.stop()
        return figures

    async def _idle(self, ours: Stagecast) -> Figures:
        self._start(ours)
        try:
            before = ours.memory_bytes()
            client = await self._client(ours, IDLE_CLIENTS)
            await asyncio.sleep(1)
            memory = (ours.memory_bytes() - before) / IDLE_CLIENTS
            cpu = ours.cpu_seconds()
            await asyncio.sleep(IDLE_SECONDS)
            cpu = ours.cpu_seconds() - cpu
            figures = await client.ask("stats")
            await client.stop()
        finally:
            ours.stop()
        return {
            "connections": IDLE_CLIENTS,
            "bytesPerConnection": memory,
            "cpuShare": cpu / IDLE_SECONDS,
            "open": figures["open"] - figures["lost"],
        }

    def _start(self, contender: Contender) -> None:
        contender.start(self.directory / f"{contender.name}.log")

    async def _client(
        self, contender: Contender, connections: int, *, spread: float = 0, header: str = ""
    ) -> Client:
        return await Client.start(
            self.program, contender.port, contender.path, connections, spread=spread, header=header
        )

    async def _warm_up(self, client: Client, publisher: Publisher, connections: int) -> None:
        await publisher.publish(WARM_UP_EVENTS)
        await client.await_deliveries(WARM_UP_EVENTS * connections, WAIT_SECONDS)


def _per_delivery(figures: Figures, cpu: float, expected: int) -> Figures:
    delivered = max(1, figures["deliveries"])
    return {
        **figures,
        "expected": expected,
        "serverCpuSeconds": cpu,
        "cpuMicroseconds": cpu / delivered * 1e6,
    }


def _position(port: int) -> str:
    with urlopen(f"http://127.0.0.1:{port}/api/v1/events", timeout=5) as stream:
        for line in stream:
            if b'"position":"' in line:
                return str(line.decode().split('"position":"')[1].split('"')[0])
    raise RuntimeError("no position")


def _line(figures: Figures) -> str:
    steady, burst = figures["steady"], figures["burst"]
    return (
        f"{figures['name']:>14} {figures['connections']:>6}  idle {figures['bytesPerConnection'] / 1024:6.1f} KiB"
        f"  10/s {steady['cpuMicroseconds']:7.2f} µs p50 {steady['p50Ms']:7.2f} p99 {steady['p99Ms']:8.2f} ms"
        f"  burst {burst['cpuMicroseconds']:7.3f} µs p50 {burst['p50Ms']:8.1f} p99 {burst['p99Ms']:8.1f} ms"
        f"  {burst['deliveries']}/{burst['expected']} out of order {burst['outOfOrder']}"
    )
