"""A broker that takes nothing: uploads and reports are refused quickly, and taken again when it comes back."""

import signal
import time
from collections.abc import Callable

import httpx

from tests.chaos.victims import part
from tests.support.system import System, until
from tests.support.virtual_host import PrivateVirtualHost


def test_an_alarm_and_a_dead_broker_are_answered_quickly_and_end(
    own_system: System, private_broker: PrivateVirtualHost
) -> None:
    own_system.rabbitmq_url = private_broker.url
    own_system.settings |= {"SWEEP_SECONDS": "0.2", "GRACE_SECONDS": "1"}
    own_system.start("api")
    private_broker.broker.control("set_vm_memory_high_watermark", "0.00001")
    refused_soon(own_system)
    private_broker.broker.control("set_vm_memory_high_watermark", "0.4")
    until(lambda: own_system.upload("again.txt", b"There is memory again.").status_code in (200, 202))
    private_broker.kill()
    refused_soon(own_system)
    private_broker.start()
    until(lambda: own_system.upload("alive.txt", b"The broker is alive again.").status_code in (200, 202))
    folder = own_system.directory / "objects" / "documents"
    until(lambda: len(list(folder.iterdir())) == 2)  # nothing of what was refused is left


def test_while_the_broker_is_frozen_services_say_that_they_are_not_ready(
    own_system: System, private_broker: PrivateVirtualHost
) -> None:
    own_system.rabbitmq_url = private_broker.url
    own_system.start("api", "parser")
    frozen = part("broker", private_broker.broker, 1)
    frozen.signal(signal.SIGSTOP)
    try:
        for name in ("api", "parser"):
            until(lambda: readiness(own_system, name).status_code == 503)  # noqa: B023 - called at once
            answer = readiness(own_system, name)
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["broker"]
    finally:
        frozen.signal(signal.SIGCONT)
    for name in ("api", "parser"):
        until(lambda: readiness(own_system, name).status_code == 200)  # noqa: B023 - called at once


def readiness(system: System, name: str) -> httpx.Response:
    """Asked as a probe asks, which waits for seconds and no longer."""
    return httpx.get(f"http://127.0.0.1:{system.ports[name]}/readyz", timeout=5)


def refused_soon(system: System) -> None:
    """At the latest the second upload after the broker went silent is refused at once, before its body is read."""
    until(lambda: system.upload("probe.txt", b"Is it taken?").status_code == 503)
    large = b"A large body that nobody reads. " * 1_000_000
    asks: list[Callable[[], httpx.Response]] = [
        lambda: system.upload("large.txt", large),
        lambda: system.notify(documentId="external", status="parsing"),
    ]
    for ask in asks:
        began = time.monotonic()
        answer = ask()
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert time.monotonic() - began < 2
