"""What speaks for a broker's having lost what it kept, gathered over a time; what speaks against it clears it."""

from dataclasses import dataclass, field

from local.backing.queue_fate import Fate

LEAST_SIGHTINGS = 5
LEAST_DEATHS = 3


@dataclass
class DownQueue:
    """A queue that one process of the broker calls down at each look: after a start a stream is so for seconds."""

    queue: str = ""
    sightings: int = 0
    was_fine: bool = False
    """Of this process of the broker: no queue was down at one look at least."""
    fate: Fate = Fate.UNKNOWN
    """As the broker itself has told it."""
    met_full_disk: bool = False
    """This process of the broker has run without room: what it says then is of its memory, and not of its disk."""
    _pid: int | None = None
    _since: float = 0.0

    def note(self, queue: str | None, pid: int | None, now: float) -> None:
        """Note the queue that is down, "" for none, or None where the broker said nothing that counts."""
        if pid != self._pid:
            self.queue, self.was_fine, self.met_full_disk, self._pid = "", False, False, pid
        if queue == "":
            self.was_fine = True
        if queue and queue == self.queue:
            self.sightings += 1
        else:
            self.queue, self.sightings, self._since = queue or "", int(bool(queue)), now
            self.fate = Fate.UNKNOWN

    def is_lasting(self, now: float, seconds: float, sightings: int = LEAST_SIGHTINGS) -> bool:
        """Return whether the same queue was down whenever the broker was asked, so often and so long (seconds)."""
        return self.sightings >= sightings and now - self._since >= seconds


@dataclass
class Deaths:
    """Ends of a node that came up none of these times."""

    times: list[float] = field(default_factory=list)

    def note(self, now: float, *, counts: bool) -> None:
        """Note an end; one that does not count is explained otherwise, and so may be those before."""
        self.times = [*self.times, now] if counts else []

    def clear(self) -> None:
        """Forget all, since the node came up."""
        self.times = []

    def is_lasting(self, now: float, seconds: float) -> bool:
        """Return whether every start has failed for so many seconds."""
        return len(self.times) >= LEAST_DEATHS and now - self.times[0] >= seconds
