"""The day the disk is full: the system that ``make up`` starts, on a small file system filled again and again."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from local.backing import rabbitmq
from services.runtime.database.embedded_address import embedded_url
from tests.chaos.judgement import audit_of, catch_up, check_observer, check_webhook, judge, settle
from tests.chaos.load import Load
from tests.support.fakes.waiting import wait_until
from tests.support.small_file_system import SmallFileSystem, small_file_system
from tests.support.system import API_KEY, Follower, System, following, free_port

MIB = 420
BACK_SECONDS = 30.0
"""After there is room again a document must be taken and embedded within so many seconds."""
REPAIRED_SECONDS = 75.0
"""And within so many where the broker has lost its log, and another had to take its place."""

SETTINGS = {
    "SWEEP_SECONDS": "1",
    "GRACE_SECONDS": "4",
    "SILENCE_SECONDS": "60",
    "UPLOAD_SECONDS": "5",
    "EMBED_BATCH_CHUNKS": "4",
    "LOG_FORMAT": "json",
    "RABBITMQ_URL": "",
    "DATABASE_URL": "",
}


@dataclass
class Verdict:
    """What was done, and what is wrong afterwards (nothing)."""

    seed: int
    fills: int
    kills: int
    answers: dict[int, int]
    back: list[float]
    set_aside: list[str]
    outcomes: dict[str, int]
    counts: dict[str, int]
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        back = " ".join(f"{seconds:.0f}" for seconds in sorted(self.back))
        lines = [
            f"seed {self.seed}: {self.fills} times full to the last byte, the broker killed in {self.kills}",
            f"answers by status (0: none) {dict(sorted(self.answers.items()))}",
            f"seconds from room to a new document that is embedded: {back}",
            f"brokers set aside: {self.set_aside or 'none'}",
            f"outcomes: {self.outcomes}",
            f"audit: {self.counts}",
            f"lost or wrong: {len(self.wrong)}",
        ]
        return "\n".join([*lines, *self.wrong[:60]])


@dataclass
class FullDisk:
    """Fills the disk ``times`` times, for ``hold`` seconds each; raises MayNotMount."""

    directory: Path
    seed: int
    times: int = 20
    hold: tuple[float, float] = (5, 60)
    rest: tuple[float, float] = (3, 12)
    _kills: int = 0
    _set_aside: list[str] = field(default_factory=list)
    _back: list[float] = field(default_factory=list)
    _wrong: list[str] = field(default_factory=list)

    def run(self) -> Verdict:
        with small_file_system(self.directory / "data", MIB) as disk, self._running(disk.directory) as system:
            load = Load(system, self.seed)
            with following(system) as observer:
                load.start()
                self._torment(system, disk)
                load.stop(lambda: None)
                return self._judge(system, load, observer)

    @contextmanager
    def _running(self, data: Path) -> Iterator[System]:
        system = System(data, "", embedded_url(data / "postgres"), ports={"api": free_port()})
        log = self.directory / "make-up.log"
        environment = {**os.environ, **SETTINGS, "DATA_DIR": str(data), "PORT": str(system.ports["api"])}
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.fakes.quick_system"],
                env={**environment, "INTERNAL_API_KEY": API_KEY},
                stdout=output,
                stderr=output,
            )
        try:
            wait_until(lambda: "Stagecast is up" in log.read_text(errors="replace"), 90)
            system.rabbitmq_url = str(rabbitmq.running_url(data / "rabbitmq"))
            yield system
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(90)
            shutil.copytree(data / "rabbitmq" / "log", self.directory / "broker-log")

    def _torment(self, system: System, disk: SmallFileSystem) -> None:
        dice = random.Random(self.seed)  # noqa: S311 - the same each time
        for number in range(self.times):
            time.sleep(dice.uniform(*self.rest))
            ends = time.monotonic() + dice.uniform(*self.hold)
            kill_at = time.monotonic() + dice.uniform(0, 5) if dice.random() < 0.4 else None
            while (now := time.monotonic()) < ends:
                disk.fill()
                if kill_at is not None and now >= kill_at:
                    self._kill_broker(disk.directory)
                    kill_at = None
                time.sleep(0.1)
            disk.make_room()
            self._await_back(system, number)

    def _kill_broker(self, data: Path) -> None:
        with suppress(FileNotFoundError, ProcessLookupError, ValueError):
            os.kill(int((data / "rabbitmq" / "pid").read_text()), signal.SIGKILL)
            self._kills += 1

    def _await_back(self, system: System, number: int) -> None:
        began = time.monotonic()

        def is_back() -> bool:
            answer = system.upload(f"back-{number}.txt", f"There is room for the {number}th time.".encode())
            return answer.status_code in (200, 202) and answer.json()["status"] == "embedded"

        def tried() -> bool:
            try:
                return is_back()
            except Exception:
                return False

        try:
            wait_until(tried, 90)
        except AssertionError:
            self._wrong.append(f"after the {number}th time it did not come back")
        self._back.append(time.monotonic() - began)
        kept, self._set_aside = self._set_aside, set_aside(system.directory)
        if self._back[-1] > (BACK_SECONDS if kept == self._set_aside else REPAIRED_SECONDS):
            self._wrong.append(f"after the {number}th time it was back after {self._back[-1]:.0f} s only")

    def _judge(self, system: System, load: Load, observer: Follower) -> Verdict:
        settled = settle(system, load, 150)
        found = audit_of(system)
        catch_up(observer, found)
        outcomes, wrong = judge(system, load, settled)
        wrong += [f"{finding.what}: {finding.subject} {finding.detail}" for finding in found.findings]
        if not self._set_aside:  # else its log is gone, as docs/faults.md says
            wrong += check_observer(observer, found) + check_webhook(load, found)
        return Verdict(
            self.seed, self.times, self._kills, load.answers, self._back, self._set_aside, outcomes, found.counts,
            [*self._wrong, *wrong],
        )  # fmt: skip


def set_aside(data: Path) -> list[str]:
    """The names of brokers' directories that were set aside, the oldest first."""
    return sorted(path.name for path in data.glob("rabbitmq.lost-*"))
