"""Virtual hosts of a broker, made and removed through its management API."""

import secrets
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.error import URLError
from urllib.parse import quote, unquote, urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from local.backing.rabbitmq import PrivateBroker

_direct = build_opener(ProxyHandler({}))


def guess_management_url(broker_url: str) -> str:
    """Where the management API of a broker usually is."""
    return f"http://{urlsplit(broker_url).hostname}:15672/"


class VirtualHosts:
    """Makes virtual hosts on the broker at ``broker_url``."""

    def __init__(self, broker_url: str, management_url: str) -> None:
        self._broker = urlsplit(broker_url)
        self._management_url = management_url

    def answer(self) -> bool:
        """Whether the management API lets us in."""
        try:
            self._ask("GET", "api/whoami")
        except (URLError, OSError):
            return False
        return True

    def await_answer(self, within: float = 20.0) -> None:
        """Wait until the management API lets us in."""
        deadline = time.monotonic() + within
        while not self.answer():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self._management_url} does not answer")
            time.sleep(0.1)

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """The URL of a new virtual host, which is removed afterwards."""
        url = self.made()
        try:
            yield url
        finally:
            self.await_answer()
            self._ask("DELETE", f"api/vhosts/{urlsplit(url).path.removeprefix('/')}")

    def made(self) -> str:
        """Make a virtual host that stays, and return its URL."""
        name = f"test-{secrets.token_hex(6)}"
        self._ask("PUT", f"api/vhosts/{name}")
        return self._broker._replace(path=f"/{name}").geturl()

    def _ask(self, method: str, path: str) -> None:
        user, password = (unquote(part or "guest") for part in (self._broker.username, self._broker.password))
        credentials = b64encode(f"{user}:{password}".encode()).decode()
        headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"}
        request = Request(self._management_url + quote(path), method=method, headers=headers)  # noqa: S310 - http
        with _direct.open(request, timeout=10):
            pass


@dataclass(frozen=True)
class PrivateVirtualHost:
    """A virtual host of a broker whose life is in the test's hands."""

    url: str
    broker: PrivateBroker

    @property
    def management_url(self) -> str:
        """The broker's management UI and API; it ends with a slash."""
        return self.broker.management_url

    def start(self) -> None:
        """Start the broker and wait until it answers."""
        self.broker.start()

    def stop(self) -> None:
        """Stop the broker in order."""
        self.broker.stop()

    def kill(self) -> None:
        """SIGKILL the broker, once it has written down which queues it has.

        RabbitMQ 3.10 keeps the names of its Raft logs in a table that is saved half a second after a change; a
        stream or quorum queue that was declared later than that is there after a SIGKILL, but never answers.
        """
        self.broker.control("eval", "[dets:sync(Table) || Table <- dets:all()], mnesia:sync_log().")
        self.broker.kill()
