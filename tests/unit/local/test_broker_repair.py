"""The repair of a private broker, with a node that is a script: what it says and how it ends is the test's."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.backing import broker_repair
from local.backing.broker_repair import RepairedBroker
from local.processes.spawn import spawn
from tests.support.fakes.waiting import wait_until

LOG = "stagecast.events.log"


class Node(RepairedBroker):
    """Sleeps while its directory is whole, and ends with status 1 where it is damaged."""

    is_ready = True
    works_when_new = True
    fates: tuple[str, ...] = ("unknown",)
    """Of the queue, as each process of the node tells it; the last goes on."""

    starts = 0

    def _launch(self) -> subprocess.Popen[bytes]:
        self.starts += 1
        script = "raise SystemExit(1)" if self.is_damaged else "import time; time.sleep(600)"
        return spawn([sys.executable, "-S", "-c", script], env={}, output=subprocess.DEVNULL)

    def evaluate(self, expression: str, within: float = 30.0) -> str:
        return self.fates[min(self.starts, len(self.fates)) - 1]

    @property
    def is_damaged(self) -> bool:
        is_new = not (self.directory / "kept").exists()
        return (self.directory / "damaged").exists() or (is_new and not self.works_when_new)

    def ready(self) -> bool:
        return self.is_ready and self.running and not self.is_damaged


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    directory = tmp_path / "rabbitmq"
    directory.mkdir()
    (directory / "kept").touch()
    node = Node(directory, repair_seconds=0.3)
    yield node
    node.kill()
    node.ports.release()


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """What the broker says is down; the last goes on."""
    answers: list[str | None] = [LOG]
    monkeypatch.setattr(broker_repair, "lost_queue", lambda *_: answers[0])
    return answers


def mended(node: Node, said: list[str], within: float = 5.0) -> bool:
    """Look after the node as a supervisor does, until it was mended or ``within`` seconds have passed."""

    def step() -> bool:
        is_mended = node.mend(said.append)
        if not node.running:
            node.launch()
        return is_mended

    try:
        wait_until(step, within)
    except AssertionError:
        return False
    return True


def aside(node: Node) -> list[Path]:
    return sorted(node.directory.parent.glob("rabbitmq.lost-*"))


def test_a_broker_whose_queue_stays_down_is_set_aside_with_all_it_kept_and_keeps_its_ports(
    node: Node, said: list[str | None]
) -> None:
    node.launch()
    sentences: list[str] = []
    assert mended(node, sentences)
    (directory,) = aside(node)
    assert (directory / "kept").exists()
    assert not (node.directory / "kept").exists()
    assert f'"amqp": {node.ports.amqp}' in (node.directory / "ports.json").read_text()
    assert any(str(directory) in sentence for sentence in sentences)
    said[0] = ""
    assert not mended(node, sentences, within=0.8)
    assert not node.ailing


def test_a_broker_whose_queue_was_fine_is_first_started_again(node: Node, said: list[str | None]) -> None:
    node.launch()
    said[0] = ""
    assert not mended(node, [], within=0.3)
    first, said[0] = node.pid, LOG
    assert mended(node, [])
    assert node.pid != first
    assert aside(node) == []
    assert mended(node, [])
    assert len(aside(node)) == 1


def test_a_broker_that_says_nothing_or_has_no_room_is_left_alone(node: Node, said: list[str | None]) -> None:
    node.launch()
    said[0] = None
    assert not mended(node, [], within=0.8)
    said[0] = LOG
    node._has_room = lambda: False
    assert not mended(node, [], within=0.8)
    node._has_room = lambda: True
    node.is_ready = False
    assert not mended(node, [], within=0.8)
    assert aside(node) == []


def test_a_node_that_never_comes_up_is_set_aside(node: Node, said: list[str | None]) -> None:
    said[0] = ""
    (node.directory / "damaged").touch()
    node.launch()
    assert mended(node, [])
    assert [(path / "damaged").exists() for path in aside(node)] == [True]
    assert node.running


def test_one_that_is_killed_each_time_is_not(node: Node, said: list[str | None]) -> None:
    node.is_ready = False
    for _ in range(6):
        node.launch()
        node.mend(lambda _: None)
        node.kill()
        assert not node.mend(lambda _: None)
    assert not node.ailing


def test_where_an_empty_directory_does_not_help_the_old_one_is_put_back(
    node: Node, said: list[str | None]
) -> None:
    (node.directory / "damaged").touch()
    node.works_when_new = False
    node.launch()
    assert mended(node, [])
    assert len(aside(node)) == 1
    assert mended(node, [])
    assert aside(node) == []
    assert (node.directory / "kept").exists()
    assert not mended(node, [], within=0.8)
    assert not node.ailing


def test_a_new_one_that_ends_on_a_full_disk_again_is_kept(node: Node, said: list[str | None]) -> None:
    node.launch()
    assert mended(node, [])
    node._has_room = lambda: False
    (node.directory / "damaged").touch()
    node.kill()
    node.launch()
    wait_until(lambda: not node.running)
    assert not node.mend(lambda _: None)
    assert len(aside(node)) == 1


@pytest.fixture
def filled(node: Node) -> Node:
    """One that would wait for a minute, and has met a full disk; there is room again."""
    node._seconds = 60
    node._has_room = lambda: False
    node.launch()
    assert not mended(node, [], within=0.2)
    node._has_room = lambda: True
    return node


def test_where_a_full_disk_explains_it_it_is_started_again_and_then_a_fifth_of_the_time_is_enough(
    filled: Node, said: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_repair, "FULL_DISK_SHARE", 0.01)
    monkeypatch.setattr(broker_repair, "RESTART_SECONDS", 0.1)
    assert mended(filled, [])
    assert (filled.starts, aside(filled)) == (2, [])
    assert mended(filled, [])
    assert len(aside(filled)) == 1


@pytest.mark.parametrize("first", ["ended", "lost"])
def test_what_a_node_that_met_a_full_disk_says_of_a_queue_starts_it_again_at_once_and_replaces_nothing(
    filled: Node, said: list[str | None], first: str
) -> None:
    filled.fates = (first, "unknown")
    assert mended(filled, [], within=3)
    assert not mended(filled, [], within=0.5)
    assert (filled.starts, aside(filled)) == (2, [])


def test_a_node_that_was_started_with_room_and_can_not_bring_the_queue_back_is_replaced_at_once(
    filled: Node, said: list[str | None]
) -> None:
    filled.fates = ("ended", "lost")
    assert mended(filled, [], within=3)
    assert mended(filled, [], within=3)
    assert len(aside(filled)) == 1
