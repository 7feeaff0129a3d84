"""The log is lost under a running system: another one takes its place, and everything goes on by itself."""

import asyncio
import json
from collections.abc import Iterator

import aio_pika
import psycopg
import pytest

from contracts import topology
from tests.conftest import running_system
from tests.support.documents import pdf
from tests.support.system import Follower, System, following, until


@pytest.fixture(scope="module")
def patient(rabbitmq_url: str, management_url: str, module_database_url: str) -> Iterator[System]:
    """A system that sends nothing again because of silence, with two replicas of the API."""
    with running_system(rabbitmq_url, management_url, module_database_url) as system:
        system.modules["embedder"] = "tests.support.fakes.dummy_embedder"
        system.settings |= {"SWEEP_SECONDS": "60", "GRACE_SECONDS": "60", "SHUTDOWN_SECONDS": "1"}
        system.start("api", "api-2", "parser", "embedder")
        yield system


async def delete_queues(rabbitmq_url: str, *queues: topology.Queue) -> None:
    async with await aio_pika.connect(rabbitmq_url) as connection:
        channel = await connection.channel()
        for queue in queues:
            await channel.queue_delete(queue.name)


def lose_everything(system: System) -> None:
    """As a broker that comes back with an empty disk."""
    asyncio.run(delete_queues(system.rabbitmq_url, *topology.queues()))


def second(system: System) -> System:
    """The other replica."""
    return System(
        system.directory, system.rabbitmq_url, system.database_url, ports={"api": system.ports["api-2"]}
    )


def resets(follower: Follower) -> list[str]:
    return [data["reason"] for kind, _, data in list(follower.frames) if kind == "reset"]


def resumed(system: System) -> list[tuple[int, int]]:
    """Commands and outcomes that the replicas have sent again, at each loss in which there were any."""
    lines = [
        json.loads(line)
        for name in ("api", "api-2")
        for line in system.log(name).splitlines()
        if "lost_log_" in line
    ]
    lines.sort(key=lambda line: line["timestamp"])
    return [(line["commands"], line["outcomes"]) for line in lines]


def await_ends(document_ids: list[str], *clients: tuple[System, Follower]) -> None:
    """Each client is told, in the list that it fetches when it is reset or by the stream from there on."""
    for system, follower in clients:
        until(lambda follower=follower: resets(follower) == ["unknown"], within=40)  # type: ignore[misc]  # mypy infers no lambda with a default
        listed = {item["documentId"]: item["status"] for item in system.get("/api/v1/documents")["items"]}
        for document_id in document_ids:
            if listed[document_id] != "embedded":
                follower.await_status(document_id, "embedded", within=40)


def change(system: System, statement: str, *values: object) -> None:
    with psycopg.connect(system.database_url) as connection:
        connection.execute(statement, values)


def test_documents_under_way_end_and_clients_are_told_when_all_queues_and_the_log_are_lost(
    patient: System,
) -> None:
    ended = patient.accept("ended.pdf", pdf("This one has ended before the loss."))
    patient.finished(ended)
    deleted = patient.accept("deleted.pdf", pdf("This one is deleted before the loss."))
    patient.finished(deleted)
    with patient.client() as client:
        assert client.delete(f"/api/v1/documents/{deleted}").status_code == 204
    with following(patient) as here, following(second(patient)) as there:
        patient.kill("parser")
        under_way = [patient.accept(f"{number}.pdf", pdf(f"Under way, {number}.")) for number in range(8)]
        old_id = here.last_event_id
        lose_everything(patient)
        patient.start("parser")
        await_ends(under_way, (patient, here), (second(patient), there))
    for document_id in under_way:
        until(lambda document_id=document_id: patient.document(document_id)["status"] == "embedded")  # type: ignore[misc]  # mypy infers no lambda with a default
        document = patient.document(document_id)
        assert (document["attempt"], document["chunkCount"]) == (1, document["embeddedCount"])
    assert patient.document(ended)["status"] == "embedded"
    with patient.client() as client:
        assert client.get(f"/api/v1/documents/{deleted}").status_code == 404
    # The new log has by now grown past the offset of the old id.
    with following(second(patient), after=old_id) as late:
        until(lambda: resets(late) == ["unknown"])


def test_an_outcome_that_only_the_lost_log_had_is_said_again_and_one_that_is_shown_is_not(
    patient: System,
) -> None:
    shown, unshown = (patient.accept(f"{name}.pdf", pdf(f"It is {name}.")) for name in ("shown", "unshown"))
    for document_id in (shown, unshown):
        patient.finished(document_id)
    asyncio.run(delete_queues(patient.rabbitmq_url, topology.LOG))
    # As if the projector had died before the last event of one of them.
    change(
        patient,
        """UPDATE documents SET status = 'embedding', event_position = '5-00000000',
        event = (event::jsonb || '{"eventId": "the one before", "status": "embedding"}')::json
        WHERE document_id = %s""",
        unshown,
    )
    with following(patient) as follower:
        until(lambda: patient.document(unshown)["status"] == "embedded")
        assert follower.statuses(shown) == []
    assert patient.document(unshown)["attempt"] == 1
    assert resumed(patient)[-1] == (0, 1)
