"""The repair of a private broker that has lost what it kept: another one takes its place.

A disk that is filled to its last byte can cost RabbitMQ the log of its coordinator of streams: the stream of events
is down from then on, whatever is done. Other damage keeps the node from starting at all. The database knows which
documents are unfinished, so an empty broker goes on with them; what lay in the old one is set aside, never removed.
"""

import shutil
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from local.backing.loss_evidence import Deaths, DownQueue
from local.backing.lost_queues import lost_queue
from local.backing.queue_fate import Fate, queue_fate
from local.backing.rabbitmq import DISK_FREE_LIMIT, PrivateBroker
from local.processes.ports import is_free
from local.processes.spawn import describe_exit
from services.runtime.process.disk_space import Space

REPAIR_SECONDS = 60.0
LOOKS = 12
"""Times that the broker is asked in that time while a queue is down."""
LOOKS_WHILE_FINE = 4
FULL_DISK_SHARE, FULL_DISK_SECONDS = 0.2, 600.0
"""For so long after a disk was full, such a part of the time is enough: what it has cost does not come back."""
RESTART_SECONDS = 5.0
"""A node whose queue was fine since its start is started again so soon: that costs seconds and no data."""
RESTART_SIGHTINGS = 3
TIMES_ASKED = 3
"""What becomes of the queue is asked of the node at so many looks: it may take some seconds."""
FIRST_LOOK_SECONDS = 0.5
"""Between looks at a node that has not come up yet, or was not seen to be fine."""
SAID_AFTER = 3
"""Looks before the person at the terminal hears of it: a stream is down for some seconds after each start."""

Say = Callable[[str], None]


class RepairedBroker(PrivateBroker):
    """A node that is replaced when a queue of ours stays down, or it never comes up, for ``repair_seconds``.

    Where the queue was fine since the node's start, or the node has met a full disk, it is first started again,
    which costs seconds and no data: at once where it says itself that what keeps the queue has ended. It is
    replaced at once only where it was started with room, and says that nothing on its disk brings the queue back.
    Never while the disk has no room, while it is in alarm, recovers or does not answer: it may only be slow then.
    The time doubles with each repair that no full disk explains; 0 is never. Where an empty directory does not
    help, the old one is put back.
    """

    def __init__(
        self,
        directory: Path,
        *,
        keep_open: tuple[int, ...] = (),
        disk_free_limit: int = DISK_FREE_LIMIT,
        repair_seconds: float = REPAIR_SECONDS,
        has_room: Callable[[], bool] = lambda: True,
    ) -> None:
        super().__init__(directory, keep_open=keep_open, disk_free_limit=disk_free_limit)
        self._seconds = repair_seconds
        self._has_room = has_room
        self._down = DownQueue()
        self._deaths = Deaths()
        self._ended: subprocess.Popen[bytes] | None = None
        self._next_look = 0.0
        self._had_room = True
        self._full_at = float("-inf")
        self._aside: Path | None = None
        self._is_spent = not repair_seconds

    @property
    def ailing(self) -> bool:
        """Something speaks for a loss, and may lead to a repair."""
        return not self._is_spent and bool(self._down.queue or self._deaths.times or self._aside)

    def launch(self) -> None:
        """Start the process and return at once; it is looked at as soon as it is up."""
        super().launch()
        self._next_look = 0.0

    def mend(self, say: Say) -> bool:
        """Look after the node, and start it or another one anew when that is needed; then return True."""
        now = time.monotonic()
        if self._is_spent:
            return False
        if self.running:
            self._look(now, say)
            if self._is_to_start_again(now):
                return self._start_again(say)
            if self._down.fate is Fate.LOST and self._was_full(now):
                return self._replace(f"nothing in it brings {self._down.queue} back", say)
            if self._down.is_lasting(now, self._patience(now)):
                return self._replace(f"{self._down.queue} has been down for {self._patience(now):g} s", say)
        elif self._process is not self._ended:
            self._ended = self._process
            is_unexplained = self._is_unexplained()
            if self._aside is not None and is_unexplained:
                return self._put_back(say)
            self._deaths.note(now, counts=is_unexplained)
            if self._deaths.is_lasting(now, self._seconds):
                return self._replace(f"it has not come up for {self._seconds:g} s", say)
        return False

    def _is_to_start_again(self, now: float) -> bool:
        """Return whether a start of the node may help: where it was fine before, or has met a full disk."""
        if self._down.met_full_disk and self._down.fate is not Fate.UNKNOWN:
            return True
        return self._may_help_itself and self._down.is_lasting(
            now, min(RESTART_SECONDS, self._seconds), RESTART_SIGHTINGS
        )

    @property
    def _may_help_itself(self) -> bool:
        return self._down.was_fine or self._down.met_full_disk

    def _look(self, now: float, say: Say) -> None:
        has_room = self._has_enough_room()
        if has_room and not self._had_room:
            self._next_look = now  # what a full disk has broken shows now
        if not has_room:
            self._full_at = now
        self._had_room = has_room
        if has_room and now < self._next_look:
            return
        lost = None
        if has_room and self.ready():
            self._deaths.clear()
            self._aside = None
            lost = lost_queue(self.url, self.management_url)
        self._down.note(lost, self.pid, now)
        self._down.met_full_disk |= not has_room
        if 0 < self._down.sightings <= TIMES_ASKED and self._down.fate is Fate.UNKNOWN:
            self._down.fate = queue_fate(self, self._down.queue)
        self._next_look = time.monotonic() + self._pause()
        if self._down.sightings == SAID_AFTER and not self._may_help_itself:
            say(
                f"{lost} is down; if it stays so for {self._patience(now):g} s, the broker is repaired "
                "(docs/repair.md)"
            )

    def _pause(self) -> float:
        """Return the seconds to the next look."""
        if not self._down.queue:
            while_fine = self._seconds / LOOKS_WHILE_FINE
            return while_fine if self._down.was_fine else min(FIRST_LOOK_SECONDS, while_fine)
        quick = RESTART_SECONDS / RESTART_SIGHTINGS if self._may_help_itself else self._seconds
        return min(quick, self._patience(time.monotonic()) / LOOKS)

    def _patience(self, now: float) -> float:
        """Return the seconds for which a queue has to be down: fewer where a full disk explains it."""
        return self._seconds * (FULL_DISK_SHARE if self._was_full(now) else 1)

    def _was_full(self, now: float) -> bool:
        return now - self._full_at < FULL_DISK_SECONDS

    def _start_again(self, say: Say) -> bool:
        was = "has met a full disk" if self._down.met_full_disk else "was fine"
        say(f"{self._down.queue} is down, though the broker {was}: the broker is started again")
        self._down = DownQueue()
        self.kill()  # which it outlives, as any death; whether it could still stop in order is not known
        self.launch()
        return True

    def _has_enough_room(self) -> bool:
        """Return whether there is room, also where no reserve was asked for: on a full disk no node comes up."""
        try:
            return self._has_room() and Space.of(self.directory).free >= self._disk_free_limit
        except OSError:
            return False

    def _is_unexplained(self) -> bool:
        """Return whether only its files can have ended the node: no signal, no lack of room, no taken port."""
        return bool(
            (self.exit_status or 0) > 0
            and self._has_enough_room()
            and all(
                is_free(port) for port in (self.ports.amqp, self.ports.management, self.ports.distribution)
            )
        )

    def _replace(self, what: str, say: Say) -> bool:
        say(f"the broker has lost what it kept: {what}, though there is room on the disk")
        self.kill()  # an orderly stop takes six seconds, and it outlives this as any death
        try:
            self._aside = self._set_aside()
        except OSError as error:  # a mount, perhaps
            say(
                f"{self.directory} can't be set aside ({error.strerror}): stop Stagecast, and empty it yourself"
            )
            self._is_spent = True
        else:
            say(f"its directory is set aside as {self._aside}, and a new broker takes its place")
            say(
                "documents under way are sent again by themselves; docs/repair.md tells what else lay in there"
            )
            say(f"once nothing of it is missed: rm -r {self._aside}")
        self._begin_anew()
        return True

    def _set_aside(self) -> Path:
        moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        aside = self.directory.with_name(f"{self.directory.name}.lost-{moment}")
        self.directory.rename(aside)
        self.directory.mkdir(mode=0o700)
        self.remember_ports()
        return aside

    def _put_back(self, say: Say) -> bool:
        """Take the old directory again: the new one did not help, so it was not what the old one kept."""
        assert self._aside is not None  # noqa: S101 - asked before
        how = describe_exit(self.exit_status or 0)
        self.kill()
        shutil.rmtree(self.directory)
        self._aside.rename(self.directory)
        say(f"the new broker ended {how} before it came up, so it was not what the old one kept")
        say(f"{self._aside} is {self.directory} again")
        self._aside, self._is_spent = None, True
        self._begin_anew()
        return True

    def _begin_anew(self) -> None:
        self._down, self._deaths = DownQueue(), Deaths()
        if not self._was_full(time.monotonic()):
            self._seconds *= 2
        self.launch()
