"""Frames joined for everybody who sees the same of the log: built once, sent as one bytes object to each."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.api.log.conflation import NewestProgress
from services.api.log.ring import Ring
from services.api.stream.filters import View
from services.api.stream.sse import encode_chunk, encode_entry

MAX_BYTES = 65_536
"""In one batch; what a client is behind more than this goes out as its connection drains."""
MAX_ENTRIES = 2000
"""Looked at for one batch, so that a filter that lets nothing pass keeps nobody waiting."""
MAX_CACHED = 64
NOTHING_SHOWN = -1


@dataclass(frozen=True, slots=True)
class Batch:
    """The frames that a view shows between a cursor and ``end``.

    ``data`` has them joined, ``chunk`` as a chunk of HTTP; ``sent_cursor`` is the cursor after the last one.
    """

    end: int
    sent_cursor: int
    data: bytes
    chunk: bytes


class Batches:
    """The batches of one view, and how many subscribers share it.

    ``all_behind`` is true while each of those at the tail is known to have something more to come.
    """

    __slots__ = (
        "_cache",
        "_end",
        "_ring",
        "all_behind",
        "is_total",
        "sent_at",
        "sent_cursor",
        "subscribers",
        "view",
    )

    def __init__(self, view: View) -> None:
        self.view = view
        self.is_total = view.is_total
        self.subscribers = 0
        self.all_behind = False
        self.sent_cursor = NOTHING_SHOWN  # the cursor after the newest frame that went out to anybody
        self.sent_at = 0.0  # and when, on the loop's clock
        self._cache: dict[tuple[int, bool], Batch] = {}
        self._ring: Ring | None = None
        self._end = 0

    def after(self, ring: Ring, cursor: int, *, is_lagging: bool = False) -> Batch:
        """Return the batch from a cursor on, for who lags without the progress that newer one makes obsolete."""
        if self._ring is not ring:
            self.sent_cursor = NOTHING_SHOWN  # cursors of one ring mean nothing in another
        if self._end != ring.end or self._ring is not ring or len(self._cache) > MAX_CACHED:
            self._cache.clear()
            self._ring, self._end = ring, ring.end
        if self.subscribers < 2:
            return self._build(ring, cursor, is_lagging=is_lagging)
        batch = self._cache.get((cursor, is_lagging))
        if batch is None:
            batch = self._cache[cursor, is_lagging] = self._build(ring, cursor, is_lagging=is_lagging)
        return batch

    def mark_sent(self, batch: Batch, now: float) -> None:
        """Note that a batch is about to be sent to somebody, at ``now`` on the loop's clock."""
        if batch.data:
            self.sent_cursor, self.sent_at = max(self.sent_cursor, batch.sent_cursor), now

    def _build(self, ring: Ring, cursor: int, *, is_lagging: bool) -> Batch:
        frames: list[bytes] = []
        size, sent_cursor, shows = 0, cursor, self.view.shows
        candidates, end = self._candidates(ring, cursor)
        newest = NewestProgress(ring, shows) if is_lagging and not self.view.every_step else None
        for candidate in candidates:
            entry = ring.entry(candidate)
            event = entry.event
            if event is None or not shows(event):
                continue
            if newest is not None and newest.supersedes(candidate, event):
                continue
            frame = entry.encoded(encode_entry)
            frames.append(frame)
            sent_cursor = candidate + 1
            size += len(frame)
            if size >= MAX_BYTES:
                end = sent_cursor
                break
        data = b"".join(frames)
        return Batch(end, sent_cursor, data, encode_chunk(data))

    def _candidates(self, ring: Ring, cursor: int) -> tuple[Sequence[int], int]:
        """Return where to look for what comes next, ``MAX_ENTRIES`` at most, and the cursor behind all that."""
        all_postings = self.view.postings(ring)
        if all_postings is None:
            end = min(ring.end, cursor + MAX_ENTRIES)
            return range(cursor, end), end
        found = sorted(one for postings in all_postings for one in postings.since(cursor, MAX_ENTRIES))
        if len(found) < MAX_ENTRIES:
            return found, ring.end
        return found[:MAX_ENTRIES], found[MAX_ENTRIES - 1] + 1
