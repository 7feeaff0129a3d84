"""What can be killed, stopped and started again, and by what rule."""

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil

from local.processes.managed_process import ManagedProcess
from tests.support.system import System


@dataclass
class Victim:
    """A process; ``launch`` starts it again and does not wait."""

    name: str
    weight: int
    pid: Callable[[], int | None]
    kill: Callable[[], None]
    launch: Callable[[], None]

    def family(self) -> list[psutil.Process]:
        """It and all that it has started."""
        pid = self.pid()
        if pid is None:
            return []
        try:
            process = psutil.Process(pid)
            return [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole family."""
        for process in self.family():
            try:
                os.kill(process.pid, number)
            except ProcessLookupError:
                continue


def service(system: System, name: str, weight: int) -> Victim:
    def pid() -> int | None:
        process = system.processes.get(name)
        return process.pid if process and process.poll() is None else None

    return Victim(name, weight, pid, lambda: system.kill(name), lambda: system.launch(name))


def part(name: str, of: ManagedProcess, weight: int) -> Victim:
    return Victim(name, weight, lambda: of.pid, of.kill, of.launch)


@dataclass
class Reaper:
    """Kills and stops at random, by one seed; revives what is dead, whoever killed it."""

    victims: list[Victim]
    dice: random.Random
    pause: tuple[float, float] = (0.4, 1.2)
    kills: dict[str, int] = field(default_factory=dict)
    stops: dict[str, int] = field(default_factory=dict)
    _stopped: dict[str, float] = field(default_factory=dict)
    _due: dict[str, float] = field(default_factory=dict)
    """When what is dead comes back."""

    def reap(self, seconds: float, kills: int = 0) -> None:
        """Strike until time is up and so many were killed, or for twice the time; then let everything live."""
        began = time.monotonic()
        strike_at = began + 1
        while (now := time.monotonic()) < began + seconds * (1 if sum(self.kills.values()) >= kills else 2):
            self._tend(now)
            if now >= strike_at:
                self._strike(now)
                strike_at = now + self.dice.uniform(*self.pause)
            time.sleep(0.05)
        self.revive()

    def revive(self) -> None:
        """Continue what is stopped, and start what is dead."""
        self._tend(time.monotonic() + 3600)

    def _strike(self, now: float) -> None:
        action, seconds = self.dice.random(), self.dice.uniform(0.3, 3)
        running = [one for one in self.victims if one.name not in self._stopped and one.pid() is not None]
        if not running:
            return
        victim = self.dice.choices(running, [one.weight for one in running])[0]
        if action < 0.25:
            victim.signal(signal.SIGSTOP)
            self._stopped[victim.name] = now + seconds
            self.stops[victim.name] = self.stops.get(victim.name, 0) + 1
        else:
            victim.kill()
            self._due[victim.name] = now + seconds / 3
            self.kills[victim.name] = self.kills.get(victim.name, 0) + 1

    def _tend(self, now: float) -> None:
        for victim in self.victims:
            if self._stopped.get(victim.name, float("inf")) <= now:
                del self._stopped[victim.name]
                victim.signal(signal.SIGCONT)
            if victim.pid() is None and self._due.setdefault(victim.name, now) <= now:
                del self._due[victim.name]
                victim.launch()
