"""Admission of uploads: refused before they are read while their way through the stages is barred."""

from dataclasses import dataclass

from contracts import topology
from services.runtime.errors import Unavailable
from services.runtime.messaging.broker_watch import BrokerWatch


@dataclass(frozen=True)
class Admission:
    """Refuses work by ``check``."""

    watch: BrokerWatch

    def check(self) -> None:
        """Raise Unavailable while the broker, the log or the queue of a stage would take nothing."""
        self.watch.require(topology.LOG, *topology.work_queues())
        for queue in topology.work_queues():
            if self.watch.queues.waiting(queue) >= topology.MAX_WAITING_COMMANDS:
                raise Unavailable("broker", f"{queue.name} is full")
