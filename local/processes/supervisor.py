"""Keeps the processes of a system running until it is told to stop, and then leaves nothing running."""

import signal
import time
from collections.abc import Callable, Sequence
from types import FrameType

from local.failures import StartFailed
from local.processes.managed_process import ManagedProcess
from local.processes.spawn import describe_exit

WRONG_SETTING = 2
"""The status of a service that was told a wrong value: starting it again would not help."""

FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0
STEADY_SECONDS = 60.0
"""A process that has run for so long starts again with the first delay."""

ATTEMPTS_TO_BECOME_READY = 5
LOOK_EVERY = 0.1
ONE_WISH_SECONDS = 1.0


class Interrupted(Exception):
    """A signal to stop arrived while the system was still starting."""


class Supervisor:
    """Runs layers of processes: each layer is ready before the next one starts, and they stop in reverse.

    A process that ends by itself is started again, with a growing delay. Signals to stop: SIGINT, SIGTERM and
    SIGHUP; the second one kills the services at once, so that nobody has to wait for a slow one. It also
    stops when ``abandoned`` says that nobody is left who could send one. While ``shortage`` says that a disk is
    nearly full, nothing is started that needs room.
    """

    def __init__(
        self,
        layers: Sequence[Sequence[ManagedProcess]],
        say: Callable[[str], None],
        abandoned: Callable[[], bool] = lambda: False,
        shortage: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._layers = layers
        self._say = say
        self._abandoned = abandoned
        self._shortage = shortage
        self._is_waiting_for_room = False
        # Plain values, set by a signal's handler: an Event's lock may be held by the code it interrupts.
        self._stopping = False
        self._hurried = False
        self._asked = 0.0
        self._within = 0.0
        self._deadline = 0.0
        self._restarts = {process.name: Restarts() for layer in layers for process in layer}

    def install_signal_handlers(self) -> None:
        """Take SIGINT, SIGTERM and SIGHUP as the wish to stop."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.ask_to_stop()

    def ask_to_stop(self) -> None:
        """Stop, as on a signal; asked again a while later, kill the services at once."""
        # One wish may arrive twice: from the terminal, and once more from the make that started us.
        if not self._stopping:
            self._asked = time.monotonic()
            self._stopping = True
        elif time.monotonic() - self._asked > ONE_WISH_SECONDS:
            self._hurried = True

    def _to_stop(self) -> bool:
        return self._stopping or self._abandoned()

    def start(self, within: float = 120.0) -> None:
        """Start all processes and return when all are ready. Raises StartFailed or Interrupted."""
        while not self._has_room("anything"):
            if self._to_stop():
                raise Interrupted
            time.sleep(LOOK_EVERY)
        self._within = within
        self._deadline = time.monotonic() + within
        started = [process for layer in self._layers for process in layer if process.head_start]
        for process in started:
            process.launch()
        for layer in self._layers:
            for process in layer:
                if process not in started:
                    process.launch()
                    started.append(process)
            self._await(layer, started)

    def _await(self, processes: Sequence[ManagedProcess], started: Sequence[ManagedProcess]) -> None:
        waiting = list(processes)
        while True:
            if self._to_stop():
                raise Interrupted
            self._look_after(started, patient=False)
            waiting = [process for process in waiting if not (process.running and process.ready())]
            if not waiting:
                break
            if time.monotonic() > self._deadline and not any(process.ailing for process in started):
                raise StartFailed(waiting[0].why_not())
            time.sleep(LOOK_EVERY)
        for process in processes:
            process.on_ready()

    def run(self) -> None:
        """Look after the processes until a signal says stop."""
        while not self._to_stop():
            self._look_after([process for layer in self._layers for process in layer], patient=True)
            time.sleep(LOOK_EVERY)

    def _look_after(self, processes: Sequence[ManagedProcess], *, patient: bool) -> None:
        self._shortage()  # each time, since room for a moment is none; only who looks all the time knows how long
        for process in processes:
            if process.mend(self._say):
                self._restarts[process.name] = Restarts()
                self._deadline = time.monotonic() + self._within
            restarts = self._restarts[process.name]
            if process.running:
                restarts.note_running()
            elif restarts.due is None:
                self._note_death(process, restarts, patient=patient)
            elif time.monotonic() >= restarts.due and (
                not process.needs_room or self._has_room(process.name)
            ):
                restarts.note_start()
                process.launch()

    def _has_room(self, what: str) -> bool:
        shortage = self._shortage()
        if shortage is not None and not self._is_waiting_for_room:
            self._say(f"waiting for room on the disk before starting {what}: {shortage}")
        elif shortage is None and self._is_waiting_for_room:
            self._say("there is room on the disk again")
        self._is_waiting_for_room = shortage is not None
        return shortage is None

    def _note_death(self, process: ManagedProcess, restarts: "Restarts", *, patient: bool) -> None:
        process.sweep()
        status = process.exit_status or 0
        is_tried_out = restarts.count >= ATTEMPTS_TO_BECOME_READY - 1 and not process.ailing
        if not patient and (status == WRONG_SETTING or is_tried_out):
            raise StartFailed(process.why_not())
        delay = restarts.schedule()
        self._say(f"{process.name} ended {describe_exit(status)}; it is started again in {delay:g} s")

    def stop(self) -> None:
        """Stop every process, the services first; returns when nothing is left."""
        self._stopping = True
        for layer in reversed(self._layers):
            for process in layer:
                process.ask_to_stop()
            for process in layer:
                self._see_end(process)

    def _see_end(self, process: ManagedProcess) -> None:
        deadline = time.monotonic() + process.grace_seconds
        while process.running and time.monotonic() < deadline and not (process.expendable and self._hurried):
            time.sleep(0.02)
        if process.running:
            self._say(f"{process.name} does not stop and is killed")
        process.kill()


class Restarts:
    """The times at which a process that ended is started again."""

    def __init__(self) -> None:
        self.count = 0
        self.due: float | None = None
        self._started = time.monotonic()

    def schedule(self) -> float:
        """Plan the next start and return the delay in seconds: 0.5, 1, 2 … 30."""
        delay = min(FIRST_DELAY * 2.0**self.count, LONGEST_DELAY)
        self.due = time.monotonic() + delay
        self.count += 1
        return delay

    def note_start(self) -> None:
        """Note that the process is being started."""
        self.due = None
        self._started = time.monotonic()

    def note_running(self) -> None:
        """Note that the process runs; after a while its past is forgotten."""
        if time.monotonic() - self._started > STEADY_SECONDS:
            self.count = 0
