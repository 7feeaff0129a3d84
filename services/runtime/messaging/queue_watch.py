"""Keeps what is known of the queues that a process needs, so that asking for it costs nothing.

On a connection of its own, which never publishes: no alarm holds it up, and a queue that is down may break it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle

from aio_pika.abc import AbstractConnection

from contracts import topology
from contracts.lanes import Lane
from services.runtime.errors import BROKER_ERRORS
from services.runtime.messaging.connection import broker_connection
from services.runtime.messaging.queue_state import QueueReport, QueueState, look_at_queue
from services.runtime.process.logging import get_logger

INTERVAL_SECONDS = 1.0
LOOKS = 2
"""So many in a row have to find a queue lost: a moment after a broker's restart its streams aren't there yet."""

log = get_logger(__name__)

_SENTENCES = {
    QueueState.DOWN: "the queue {} is down: the broker has its name, and lost its process or its files",
    QueueState.MISSING: "the queue {} is missing: it was not declared, or somebody deleted it",
}


@dataclass
class QueueWatch:
    """Looks at ``needed`` queues until cancelled; ``declare`` is called when one is missing, if it is given.

    Once a second the log, the work queues and what was found lost are looked at, and one of the others in turn: a
    look at an empty queue that nobody consumes is written to its Raft log.
    """

    rabbitmq_url: str
    needed: Sequence[topology.Queue]
    declare: Callable[[str], Awaitable[None]] | None = None
    _reports: dict[str, QueueReport] = field(default_factory=dict)
    _lost: dict[str, int] = field(default_factory=dict)
    """How many looks in a row found it lost."""
    _known: asyncio.Event = field(default_factory=asyncio.Event)

    def trouble(self, *queues: topology.Queue) -> str | None:
        """Return a sentence on those of the queues that are lost; on all that are needed when none is given."""
        lost = [one.name for one in queues or self.needed if self._lost.get(one.name, 0) >= LOOKS]
        if not lost:
            return None
        sentence = _SENTENCES[self._reports[lost[0]].state].format(lost[0])
        return sentence if len(lost) == 1 else f"{sentence} (and {len(lost) - 1} more with it)"

    def waiting(self, queue: topology.Queue) -> int:
        """Return how many messages waited in a queue when it was looked at."""
        report = self._reports.get(queue.name)
        return report.waiting if report else 0

    def taken(self, stage: str, lane: Lane) -> Lane:
        """Return the lane, or the first where that alone is consumed: by workers of a release without lanes."""
        consumers = [self.consumers(topology.work_queue(stage, one)) for one in (lane, Lane.FIRST)]
        return Lane.FIRST if not consumers[0] and consumers[1] else lane

    def consumers(self, queue: topology.Queue) -> int:
        """Return how many consumers took from a queue when it was looked at."""
        report = self._reports.get(queue.name)
        return report.consumers if report else 0

    async def known(self) -> None:
        """Wait until each queue was looked at once, or the broker was found away."""
        await self._known.wait()

    async def run(self) -> None:
        """Look until cancelled."""
        order, was_away = self._order(), False
        while True:
            try:
                async with broker_connection(self.rabbitmq_url) as connection:
                    if was_away:
                        await self._declare()  # it may have come back empty
                    was_away = False
                    await self._look_while_fine(connection, order)
            except (*BROKER_ERRORS, RuntimeError):  # ``BrokerWatch`` says why
                was_away = True
                self._known.set()
                await asyncio.sleep(INTERVAL_SECONDS)

    async def _look_while_fine(
        self, connection: AbstractConnection, order: Iterator[topology.Queue | None]
    ) -> None:
        """Return when the connection is of no more use. Raises AMQPError or ConnectionError."""
        for queue in order:
            if queue is None:
                self._known.set()
                await asyncio.sleep(INTERVAL_SECONDS)
                continue
            report = await look_at_queue(connection, queue)
            if report.state is QueueState.NOT_CONNECTED:
                raise ConnectionError("the broker does not answer")
            self.note(queue, report)
            if report.state is QueueState.MISSING:
                await self._declare()
            if report.state is not QueueState.FINE:
                return

    async def _declare(self) -> None:
        if self.declare is None:
            return
        try:
            await self.declare(self.rabbitmq_url)
        except BROKER_ERRORS as error:  # as where another queue is down
            log.info("topology_not_declared", reason=str(error) or type(error).__name__)

    def _order(self) -> Iterator[topology.Queue | None]:
        """Yield the queue to look at next, for ever; None to wait a moment first."""
        work = {queue.name for queue in (topology.LOG, *topology.work_queues())}
        pressing = [queue for queue in self.needed if queue.name in work]
        others = [queue for queue in self.needed if queue.name not in work]
        yield from self.needed
        for other in cycle(others or pressing):
            yield None
            yield from pressing
            yield from [queue for queue in others if queue.name in self._lost and queue is not other]
            yield other

    def note(self, queue: topology.Queue, report: QueueReport) -> None:
        """Keep what a look has found."""
        before = self._reports.get(queue.name)
        self._reports[queue.name] = report
        if report.state is QueueState.FINE:
            self._lost.pop(queue.name, None)
        else:
            # What never was fine since this process began is not about to come.
            self._lost[queue.name] = self._lost.get(queue.name, 0) + 1 if before else LOOKS
        if report.state is not (before.state if before else QueueState.FINE):
            log.warning("queue_state_changed", queue=queue.name, state=report.state.value)
