"""A network that is slow, cut, or silent: between the API and the broker alone, and before broker and database."""

import asyncio
import time

import pytest

from services.runtime.messaging import broker_watch
from services.runtime.messaging.broker_watch import BrokerWatch
from services.runtime.messaging.queue_watch import QueueWatch
from services.runtime.process.background import cancel_all
from tests.chaos.judgement import audit_of, catch_up, check_observer, check_webhook, judge, settle
from tests.chaos.load import STAGES, Load
from tests.chaos.run import SETTINGS
from tests.integration.test_faults_admission import readiness
from tests.support.fakes.waiting import wait_until
from tests.support.faulty_network import cutting, network_before
from tests.support.system import Follower, System, following, until

DUMMY = {"embedder": "tests.support.fakes.dummy_embedder"}
TEXT = b"The lighthouse keeper counts the ships that pass by in the night.\n\n" * 400


def heartbeats(stream: Follower) -> int:
    return sum(kind == "heartbeat" for kind, _, _ in list(stream.frames))


def assert_all_goes_on_but_what_needs_the_broker(system: System, stream: Follower) -> None:
    assert readiness(system, "api").status_code == 503
    before, began = heartbeats(stream), time.monotonic()
    upload = system.upload("refused.txt", b"Nobody would hear of me.")
    for answer in (upload, system.notify(documentId="external", status="parsing")):
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
    assert system.get("/api/v1/documents")["items"]
    assert time.monotonic() - began < 2
    until(lambda: heartbeats(stream) >= before + 2)
    assert stream.connections == 1


def assert_comes_back_without_a_gap(system: System, stream: Follower, document_id: str) -> None:
    stream.await_status(document_id, "embedded", within=20)
    assert stream.statuses(document_id) == list(STAGES)
    until(lambda: system.upload("again.txt", b"Here I am.").status_code in (200, 202), within=20)
    assert stream.connections == 1
    assert {kind for kind, _, _ in stream.frames} <= {"connected", "heartbeat", "document_processing"}


def test_while_the_api_alone_is_cut_off_from_the_broker_all_else_goes_on_and_streams_miss_nothing(
    own_system: System,
) -> None:
    own_system.modules |= DUMMY
    own_system.settings["HEARTBEAT_SECONDS"] = "0.5"
    own_system.start("parser", "embedder")
    with network_before(own_system.rabbitmq_url) as network:
        own_system.rabbitmq_url = f"{network.url}?heartbeat=1"
        own_system.start("api")
        with following(own_system) as stream:
            # Packets are held back; connections are forgotten on the way; all are reset, also new ones.
            for cut, forgotten in (
                (network.go_silent, False),
                (network.go_silent, True),
                (network.refuse, False),
            ):
                document_id = own_system.accept("long.txt", TEXT + str(time.monotonic()).encode())
                noticed = own_system.log("api").count('"refused": "')
                cut()
                until(lambda: own_system.log("api").count('"refused": "') > noticed)  # noqa: B023 - called at once
                assert_all_goes_on_but_what_needs_the_broker(own_system, stream)
                network.heal(forgotten=forgotten)
                assert_comes_back_without_a_gap(own_system, stream, document_id)
        own_system.stop()


@pytest.mark.anyio
async def test_a_broker_that_is_slow_with_every_answer_is_not_refused_and_taken_in_turn(
    vhost_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_watch, "PATIENCE_SECONDS", 0.25)
    with network_before(vhost_url) as network:
        watch = BrokerWatch(QueueWatch(network.url, ()), _patience=0.25)
        running = asyncio.create_task(watch.run())
        try:
            await asyncio.to_thread(wait_until, lambda: watch.trouble() is None)
            network.delay_seconds = 0.35
            await asyncio.to_thread(wait_until, lambda: watch.trouble() is not None)
            await asyncio.to_thread(wait_until, lambda: watch.trouble() is None)
            end = time.monotonic() + 2
            while time.monotonic() < end:
                assert watch.trouble() is None
                await asyncio.sleep(0.05)
            network.go_silent()
            await asyncio.to_thread(wait_until, lambda: watch.trouble() is not None)
        finally:
            network.heal()
            network.delay_seconds = 0
            await cancel_all(running)


def test_nothing_is_lost_while_connections_to_broker_and_database_are_cut_at_random(
    own_system: System,
) -> None:
    own_system.modules |= DUMMY
    own_system.settings |= SETTINGS
    direct = System(own_system.directory, own_system.rabbitmq_url, own_system.database_url)
    with network_before(direct.rabbitmq_url) as broker, network_before(direct.database_url) as database:
        own_system.rabbitmq_url, own_system.database_url = broker.url, database.url
        own_system.start("api", "parser", "embedder")
        load = Load(own_system, seed=7)
        with following(own_system) as observer:
            with cutting(0.02, broker, database):
                load.start()
                until(lambda: broker.cuts > 2 and database.cuts > 15 and len(load.accepted) > 6)
            load.stop(lambda: None)
            shown = settle(own_system, load, 60)
            found = audit_of(direct)
            catch_up(observer, found)
        own_system.stop()
    _, wrong = judge(own_system, load, shown)
    wrong += [f"{finding.what}: {finding.subject} {finding.detail}" for finding in found.findings]
    assert wrong + check_observer(observer, found) + check_webhook(load, found) == []
