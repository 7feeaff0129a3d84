"""Clients that others wrote, and ours, beside each other through the sudden death of the API they follow."""

from pathlib import Path

from tests.support.fakes.waiting import wait_until
from tests.support.followers import following_by_node, following_by_python
from tests.support.log_events import numbered, publish
from tests.support.npm import NPM_CLIENTS, TYPESCRIPT_CLIENT
from tests.support.system import System

# Ours before the last of npm's, which must be loaded last.
EVERY = (TYPESCRIPT_CLIENT, *(package.rpartition("@")[0] for package in NPM_CLIENTS))


def test_each_client_of_npm_and_pypi_gets_every_event_once_and_in_order_through_kill_9_of_the_api(
    vhost_url: str, fresh_database_url: str, tmp_path: Path, npm_clients: Path, typescript_client: Path
) -> None:
    system = System(tmp_path, vhost_url, fresh_database_url, {"HEARTBEAT_SECONDS": "1"})
    system.start("api")
    events = numbered(40, "followed")
    try:
        with (
            following_by_node(
                npm_clients, tmp_path / "npm.txt", f"{system.url}/api/v1/events", *EVERY
            ) as of_npm,
            following_by_python(tmp_path / "pypi.txt", system.url) as of_pypi,
        ):
            clients = [*of_npm, *of_pypi]
            wait_until(lambda: all(client.is_connected() for client in clients))
            publish(vhost_url, events[:10])
            wait_until(lambda: all(client.seen() for client in clients))  # each has an id to come back with
            publish(vhost_url, events[10:20])
            system.kill("api")
            publish(vhost_url, events[20:30])
            system.start("api")
            publish(vhost_url, events[30:])
            last = events[-1].event_id
            wait_until(lambda: all(last in client.seen() for client in clients), within=60)
    finally:
        system.stop()
    sent = [event.event_id for event in events]
    assert {client.name: client.seen() for client in clients} == {client.name: sent for client in clients}
    empty = {client.name for client in clients if not all(data for _, data in client.received())}
    assert not empty
