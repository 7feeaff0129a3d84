"""What operators are told of the pipeline is what is in the queues and in the database."""

import secrets

from tests.support.guarded import Guarded, bearer
from tests.support.system import System, until


def lane_of(system: System, stage: str, lane: str) -> dict[str, object]:
    told = system.get("/api/v1/pipeline")
    lanes = {(one["stage"], each["lane"]): each for one in told["stages"] for each in one["lanes"]}
    found = lanes[stage, lane]
    assert isinstance(found, dict)
    return found


def test_what_waits_is_counted_with_its_age_and_what_goes_through_by_its_rate(own_system: System) -> None:
    own_system.start("api")
    documents = [own_system.accept(f"{n}.txt", f"Text {n} {secrets.token_hex(4)}".encode()) for n in range(3)]

    until(lambda: lane_of(own_system, "parse", "first")["waiting"] == 3)
    waiting = lane_of(own_system, "parse", "first")
    assert (waiting["queue"], waiting["running"], waiting["workers"]) == ("stagecast.parse", 0, 0)
    assert isinstance(waiting["oldestWaiting"], float)

    own_system.start("parser")
    until(lambda: lane_of(own_system, "embed", "first")["waiting"] == 3)
    until(lambda: lane_of(own_system, "parse", "first")["rate"] == round(3 / 60, 3))
    until(lambda: own_system.get("/api/v1/pipeline")["projectionLag"] == 0)
    parsed = lane_of(own_system, "parse", "first")
    assert (parsed["waiting"], parsed["oldestWaiting"], parsed["workers"]) == (0, None, 1)
    assert own_system.get("/api/v1/pipeline")["deadLetters"] == 0
    assert {own_system.document(one)["status"] for one in documents} == {"parsed"}


def test_only_administrators_are_told(guarded: Guarded) -> None:
    with guarded.client() as client:
        assert client.get("/api/v1/pipeline", headers=bearer("paul")).status_code == 403
        assert client.get("/api/v1/pipeline", headers=bearer("ada", scope="admin")).status_code == 200
