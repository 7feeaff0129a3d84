"""The short run, with a seed of its own; ``make chaos`` is the long one."""

from pathlib import Path

import pytest

from local.backing import rabbitmq
from tests.chaos.run import Chaos
from tests.conftest import missing

SECONDS = 40
KILLS = 30
SEED = 2045


@pytest.mark.timeout(300)
def test_nothing_is_lost_whatever_is_killed(
    short_directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not rabbitmq.installed():
        missing("RabbitMQ is not installed: run `make setup`.")
    verdict = Chaos(short_directory, SEED, SECONDS, KILLS, workers=2).run()
    with capsys.disabled():
        print(f"\n{verdict}")  # noqa: T201 - the figures
    assert not verdict.wrong
    assert len(verdict.kills) > 5  # of seven; which ones depends a little on the machine
    assert sum(verdict.kills.values()) >= KILLS
    assert verdict.counts["documents embedded"] > 3
