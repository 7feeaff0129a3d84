"""The three services as processes of their own, on a real broker and database, and a client of them."""

import os
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from httpx_sse import EventSource

from tests.support.background import in_background
from tests.support.fakes.waiting import wait_until
from tests.support.processes.service_process import ServiceProcess, start_process

API_KEY = "your-internal-key"
TERMINAL = {"embedded", "failed"}
Json = dict[str, Any]


def plain_client(
    url: str, *, timeout: float | httpx.Timeout = 20, headers: dict[str, str] | None = None
) -> httpx.Client:
    """A client without TLS: loading the certificates, which nobody asks for here, takes 20 ms of CPU each time."""
    return httpx.Client(
        base_url=url,
        timeout=timeout,
        headers=headers,
        verify=False,  # noqa: S501 - there is nothing to verify
        trust_env=False,
    )


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@dataclass
class System:
    """Services by name: ``api``, ``parser``, ``embedder``; more of a kind as ``parser-2``."""

    directory: Path
    rabbitmq_url: str
    database_url: str
    settings: dict[str, str] = field(default_factory=dict)
    api_key: str = API_KEY
    ports: dict[str, int] = field(default_factory=dict)
    processes: dict[str, ServiceProcess] = field(default_factory=dict)
    modules: dict[str, str] = field(default_factory=dict)
    """What runs in the place of ``services.<kind>``."""
    by_command: bool = False
    """Start each as an operator does, at the price of its imports; else by a fork of a server that has them."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['api']}"

    def start(self, *names: str, within: float = 90) -> None:
        """Start services and wait until each is ready."""
        for name in names:
            self.launch(name)
        for name in names:
            try:
                wait_until(lambda name=name: self._is_ready(name), within=within)  # type: ignore[misc]  # mypy infers no lambda with a default
            except AssertionError as error:
                raise AssertionError(f"{name} is not ready:\n{self.log(name)[-6000:]}") from error

    def launch(self, name: str) -> None:
        """Start a service and return at once."""
        self.ports.setdefault(name, free_port())
        kind = name.partition("-")[0]
        module = self.modules.get(kind, f"services.{kind}.__main__")
        self.processes[name] = start_process(
            module, self._environment(name), self.directory / f"{name}.log", by_command=self.by_command
        )

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """End a service and wait for its end."""
        process = self.processes.pop(name)
        process.send_signal(number)
        process.wait(30)

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def log(self, name: str) -> str:
        return (self.directory / f"{name}.log").read_text(errors="replace")

    def client(self) -> httpx.Client:
        return plain_client(self.url, timeout=30)

    def upload(self, name: str, content: bytes, **query: str) -> httpx.Response:
        with self.client() as client:
            return client.post("/api/v1/documents", files={"file": (name, content)}, params=query)

    def accept(self, name: str, content: bytes) -> str:
        """Upload what must be accepted as new; its document id."""
        answer = self.upload(name, content)
        assert answer.status_code == 202, answer.text
        document_id: str = answer.json()["documentId"]
        return document_id

    def get(self, path: str) -> Json:
        with self.client() as client:
            answer = client.get(path)
        assert answer.status_code == 200, answer.text
        body: Json = answer.json()
        return body

    def document(self, document_id: str) -> Json:
        return self.get(f"/api/v1/documents/{document_id}")

    def finished(self, document_id: str, within: float = 90) -> Json:
        """The document once it has a terminal status."""
        wait_until(lambda: self.document(document_id)["status"] in TERMINAL, within)
        return self.document(document_id)

    def search(self, query: str, **more: object) -> list[Json]:
        with self.client() as client:
            answer = client.post("/api/v1/search", json={"query": query, **more})
        assert answer.status_code == 200, answer.text
        items: list[Json] = answer.json()["items"]
        return items

    def notify(self, **report: object) -> httpx.Response:
        with self.client() as client:
            return client.post(
                "/api/v1/events/webhook/document-processing",
                json=report,
                headers={"X-Webhook-Key": self.api_key},
            )

    def _environment(self, name: str) -> dict[str, str]:
        share_models(self.directory)
        return {
            **os.environ,
            "RABBITMQ_URL": self.rabbitmq_url,
            "DATABASE_URL": self.database_url,
            "DATA_DIR": str(self.directory),
            "INTERNAL_API_KEY": self.api_key,
            "EMBED_BATCH_CHUNKS": "8",
            "LOG_FORMAT": "json",
            "PORT": str(self.ports[name]),
            f"{name.partition('-')[0].upper()}_HEALTH_PORT": str(self.ports[name]),
            **self.settings,
        }

    def _is_ready(self, name: str) -> bool:
        assert self.processes[name].poll() is None, f"{name} ended:\n{self.log(name)[-3000:]}"
        try:
            with plain_client(f"http://127.0.0.1:{self.ports[name]}", timeout=5) as client:
                return client.get("/readyz").status_code == 200
        except httpx.HTTPError:
            return False


def share_models(directory: Path) -> None:
    """Let a system find the model as another one has converted it: that takes seconds, and changes nothing."""
    shared = Path(tempfile.gettempdir()) / f"stagecast-models-{os.getuid()}"
    shared.mkdir(mode=0o700, exist_ok=True)
    with suppress(FileExistsError):
        (directory / "models").symlink_to(shared)


@dataclass
class Follower:
    """An SSE client in a thread: frames in order, the newest id, and resumption as EventSource does it.

    Not ``stagecast_client``, which hides what is looked at here: ids, and events that are sent twice.
    """

    system: System
    params: dict[str, str] = field(default_factory=dict)
    last_event_id: str = ""
    frames: list[tuple[str, str, Json]] = field(default_factory=list)
    connections: int = 0
    _stopped: threading.Event = field(default_factory=threading.Event)
    _socket: socket.socket | None = None

    def run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._follow_once()
            except httpx.HTTPError:
                self._stopped.wait(0.2)

    def _follow_once(self) -> None:
        headers = {"Accept": "text/event-stream"}
        if self.last_event_id:
            headers["Last-Event-ID"] = self.last_event_id
        with (
            plain_client(self.system.url, timeout=httpx.Timeout(30, read=60)) as client,
            client.stream("GET", "/api/v1/events", params=self.params, headers=headers) as response,
        ):
            self._socket = response.extensions["network_stream"].get_extra_info("socket")
            for event in EventSource(response).iter_sse():
                if event.id:
                    self.last_event_id = event.id
                if event.event == "connected":
                    self.connections += 1
                if event.data:
                    self.frames.append((event.event, event.id, event.json()))
                if self._stopped.is_set():
                    return

    def stop(self) -> None:
        """End the thread, which may be reading and would not hear of it before the next frame."""
        self._stopped.set()
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def events(self, document_id: str | None = None) -> list[Json]:
        """Status events, repeats dropped by their id as clients do."""
        seen: dict[str, Json] = {}
        for kind, _, data in list(self.frames):
            if kind == "document_processing" and document_id in (None, data["documentId"]):
                seen.setdefault(data["eventId"], data)
        return list(seen.values())

    def statuses(self, document_id: str) -> list[str]:
        """Of one document; repetitions of progress are one."""
        found = [event["status"] for event in self.events(document_id)]
        return [status for index, status in enumerate(found) if index == 0 or found[index - 1] != status]

    def await_status(self, document_id: str, status: str, within: float = 90) -> None:
        wait_until(lambda: status in self.statuses(document_id), within)


@contextmanager
def following(system: System, **params: str) -> Iterator[Follower]:
    """A follower that has seen ``connected``."""
    follower = Follower(system, params, last_event_id=params.pop("after", ""))
    with in_background(follower):
        try:
            wait_until(lambda: follower.connections > 0)
        except AssertionError as error:
            raise AssertionError(f"no stream connects:\n{system.log('api')[-6000:]}") from error
        yield follower


def until(condition: Callable[[], object], within: float = 60) -> None:
    """``wait_until`` with the patience that a model on two busy cores needs."""
    wait_until(condition, within)
