"""Python's SSE clients beside each other, each as its users write it: ``python -m tests.support.sse_clients URL``.

Each event that one hands out is a line: its client, its name, its data, as a JSON array.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import httpx
import httpx_sse
import ld_eventsource
import ld_eventsource.config
import requests
import requests_sse
import sseclient

from stagecast_client import EventStream

PATH = "/api/v1/events"
PAUSE_SECONDS = 0.5

Received = Iterator[tuple[str, str]]
"""Names of events, and their data."""


def by_httpx_sse(url: str) -> Received:
    last_event_id = ""
    with httpx.Client(timeout=60, trust_env=False) as http:
        while True:
            headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
            with (
                suppress(httpx.TransportError),
                httpx_sse.connect_sse(http, "GET", url + PATH, headers=headers) as source,
            ):
                for event in source.iter_sse():
                    last_event_id = event.id
                    yield event.event, event.data
            time.sleep(PAUSE_SECONDS)


def by_sseclient(url: str) -> Received:
    last_event_id = ""
    while True:
        headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
        with (
            suppress(requests.RequestException),
            requests.get(url + PATH, headers=headers, stream=True, timeout=60) as response,
        ):
            for event in sseclient.SSEClient(response.iter_content(None)).events():
                last_event_id = event.id or last_event_id
                yield event.event, event.data
        time.sleep(PAUSE_SECONDS)


def by_requests_sse(url: str) -> Received:
    with requests_sse.EventSource(url + PATH) as source:
        for event in source:
            yield event.type or "", event.data or ""


def by_launchdarkly(url: str) -> Received:
    strategy = ld_eventsource.config.ErrorStrategy.always_continue()
    for event in ld_eventsource.SSEClient(url + PATH, error_strategy=strategy).events:
        yield event.event, event.data


def by_stagecast_client(url: str) -> Received:
    for event in EventStream(url):
        yield event.kind, json.dumps(event.data)


CLIENTS: dict[str, Callable[[str], Received]] = {
    "httpx-sse": by_httpx_sse,
    "sseclient-py": by_sseclient,
    "requests-sse": by_requests_sse,
    "launchdarkly-eventsource (Python)": by_launchdarkly,
    "stagecast-client": by_stagecast_client,
}


def _report(name: str, received: Received) -> None:
    for event, data in received:
        os.write(
            sys.stdout.fileno(), json.dumps([name, event, data]).encode() + b"\n"
        )  # whole, whoever else writes


def main() -> None:
    """Follow the server with every client until killed."""
    for name, follow in CLIENTS.items():
        threading.Thread(target=_report, args=(name, follow(sys.argv[1]))).start()


if __name__ == "__main__":
    main()
