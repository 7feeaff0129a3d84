"""Clients of the event stream that others wrote: curl, those of npm and PyPI, and a browser's own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.e2e.browser import chromium_running
from tests.support import sse_clients
from tests.support.background import in_background
from tests.support.npm import NODE, NPM_CLIENTS, ROOT

PAGE_CLIENT = """
() => {
  window.seen = [];
  window.isConnected = false;
  const source = new EventSource("/api/v1/events");
  source.addEventListener("connected", () => { window.isConnected = true; });
  source.addEventListener("document_processing", (event) => window.seen.push(JSON.parse(event.data).eventId));
}
"""


class EventFollower(Protocol):
    """Follows all events of a server, through whatever happens to it."""

    def is_connected(self) -> bool:
        """Return whether it was ever connected."""

    def seen(self) -> list[str]:
        """The ids of the status events that arrived, in order, with repetitions."""


@dataclass
class CurlFollower:
    """A shell script's idea of a client: curl in a loop, with the last id that it saw."""

    url: str
    events: list[str] = field(default_factory=list)
    last_event_id: str = ""
    process: subprocess.Popen[bytes] | None = None
    stopped: bool = False

    def is_connected(self) -> bool:
        return bool(self.last_event_id)

    def seen(self) -> list[str]:
        return list(self.events)

    def run(self) -> None:
        while not self.stopped:
            command = ["curl", "-sN", "-H", f"Last-Event-ID: {self.last_event_id}", self.url]
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
            assert self.process.stdout is not None
            frame: dict[str, str] = {}
            for line in self.process.stdout:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    frame[name] = value
                else:
                    self._take(frame)
                    frame = {}
            self.process.wait()
            time.sleep(0.1)

    def stop(self) -> None:
        self.stopped = True
        if self.process is not None:
            self.process.kill()

    def _take(self, frame: dict[str, str]) -> None:
        self.last_event_id = frame.get("id", self.last_event_id)
        if frame.get("event") == "connected" and not self.last_event_id:
            self.last_event_id = json.loads(frame["data"])["position"]
        if frame.get("event") == "document_processing":
            self.events.append(json.loads(frame["data"])["eventId"])


@contextmanager
def following_by_curl(url: str) -> Iterator[EventFollower]:
    """A shell's loop around curl."""
    curl = CurlFollower(url)
    with in_background(curl):
        yield curl


@dataclass
class PrintedFollower:
    """One of the clients of a program that writes each event that they hand out."""

    name: str
    output: Path

    def received(self) -> list[tuple[str, str]]:
        """Names and data of the events, in order."""
        lines = self.output.read_text().splitlines(keepends=True)
        whole = [json.loads(line) for line in lines if line.endswith("\n")]
        return [(event, data) for client, event, data in whole if client == self.name]

    def is_connected(self) -> bool:
        return any(event == "connected" for event, _ in self.received())

    def seen(self) -> list[str]:
        return [
            json.loads(data)["eventId"] for event, data in self.received() if event == "document_processing"
        ]


@contextmanager
def _following_by(
    output: Path, command: Sequence[str | Path], names: Sequence[str], directory: Path
) -> Iterator[list[PrintedFollower]]:
    with output.open("wb") as log:
        program = subprocess.Popen(command, cwd=directory, stdout=log, env={**os.environ, "NO_PROXY": "*"})
    try:
        yield [PrintedFollower(name, output) for name in names]
    finally:
        program.kill()
        program.wait()


@contextmanager
def following_by_node(
    installed: Path, output: Path, url: str, *names: str
) -> Iterator[list[PrintedFollower]]:
    """npm's clients (all, or those named) in one process; ``install_npm_clients`` put them into ``installed``."""
    names = names or tuple(package.rpartition("@")[0] for package in NPM_CLIENTS)
    script = Path(__file__).with_name("sse_clients.mjs")
    with _following_by(output, [NODE, script, url, *names], names, installed) as followers:
        yield followers


@contextmanager
def following_by_python(output: Path, origin: str) -> Iterator[list[PrintedFollower]]:
    """PyPI's clients, and ours, in one process."""
    command = [sys.executable, "-m", "tests.support.sse_clients", origin]
    with _following_by(output, command, list(sse_clients.CLIENTS), ROOT) as followers:
        yield followers


@contextmanager
def following_by_page(chromium: Path, origin: str) -> Iterator[EventFollower]:
    """Chromium's own EventSource, on a page of the server's."""
    with chromium_running(chromium) as browser:
        page = browser.new_page()
        page.goto(f"{origin}/healthz")
        page.evaluate(PAGE_CLIENT)

        class PageFollower:
            def is_connected(self) -> bool:
                return bool(page.evaluate("window.isConnected"))

            def seen(self) -> list[str]:
                return list(page.evaluate("window.seen"))

        yield PageFollower()
