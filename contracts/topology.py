"""Every exchange, queue, binding and argument of Stagecast, in one place.

Changing an argument of a declared queue is refused by the broker (406), so a change here needs a new name
or a migration by policy. Read it in the RabbitMQ management UI as it stands here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from contracts import stages
from contracts.lanes import Lane

Arguments = Mapping[str, str | int | bool]

DELIVERY_LIMIT = 10
"""Redeliveries of one command before it is dead. Explicit, because the default differs by broker version;
about ten, because messages in flight at a graceful stop count as well on RabbitMQ before 4.3."""

NO_LIMIT = 1_000_000_000
"""Of deliveries, for queues in which people look without taking: each look counts as one before RabbitMQ 4.3,
RabbitMQ 4 drops the message after 20 where nothing is said, and 3.10 has no word for "never"."""

MAX_WAITING_COMMANDS = 100_000
"""Commands that a work queue takes before it refuses more (and the API answers 503)."""

RETRY_SECONDS = (5, 30, 300)
"""Delays of the retry queues, in the order in which a failing command meets them."""

QUERY_TTL_MS = 15_000
"""A search whose caller gave up is not worth embedding."""

LOG_MAX_AGE = "7D"
LOG_MAX_BYTES = 20_000_000_000
LOG_SEGMENT_BYTES = 10_000_000
"""Retention drops whole segments only, so they are small."""


@dataclass(frozen=True)
class Exchange:
    """A durable exchange; ``kind`` is ``direct`` or ``topic``."""

    name: str
    kind: str


@dataclass(frozen=True)
class Queue:
    """A durable queue; ``kind`` is ``quorum``, ``stream`` or ``classic``; bound by exchange and key."""

    name: str
    kind: str
    bindings: tuple[tuple[Exchange, str], ...] = ()
    arguments: Arguments = field(default_factory=lambda: MappingProxyType({}))
    may_stand_as_it_is: bool = False
    """Its arguments have changed since a release, and it may hold what nobody wants to lose."""

    @property
    def declared_arguments(self) -> dict[str, str | int | bool]:
        """The arguments as the broker is told them."""
        return {"x-queue-type": self.kind, **self.arguments}


COMMANDS = Exchange("stagecast.commands", "direct")
RETRY = Exchange("stagecast.retry", "direct")
DEAD = Exchange("stagecast.dead", "topic")
EVENTS = Exchange("stagecast.events", "topic")

EXCHANGES = (COMMANDS, RETRY, DEAD, EVENTS)


def work_key(stage: str, lane: Lane = Lane.FIRST) -> str:
    """The routing key of a stage's commands in a lane; the first lane's is that of the releases before lanes."""
    return stage if lane is Lane.FIRST else f"{stage}.{lane}"


def work_queue(stage: str, lane: Lane = Lane.FIRST) -> Queue:
    """The commands of one stage in one lane; what can't be delivered goes to ``stagecast.dead``, at least once.

    Dead letters and retries of both lanes are in the same queues. What comes back from a retry queue comes to the
    first lane, whose worker moves what is bulk on: a queue that stands keeps the key that it was declared with.
    """
    return Queue(
        f"stagecast.{work_key(stage, lane)}",
        "quorum",
        ((COMMANDS, work_key(stage, lane)),),
        MappingProxyType(
            {
                "x-delivery-limit": DELIVERY_LIMIT,
                "x-dead-letter-exchange": DEAD.name,
                "x-dead-letter-routing-key": stage,
                "x-dead-letter-strategy": "at-least-once",
                "x-overflow": "reject-publish",
                "x-max-length": MAX_WAITING_COMMANDS,
            }
        ),
    )


def retry_queue(stage: str, seconds: int) -> Queue:
    """Commands that wait ``seconds`` before their stage sees them again.

    Published to, never rejected into: a message that meets its delivery limit in a reject cycle is dropped
    by RabbitMQ 4 and loops on 3.10.
    """
    return Queue(
        f"stagecast.{stage}.retry.{seconds}",
        "quorum",
        ((RETRY, f"{stage}.{seconds}"),),
        MappingProxyType(
            {
                "x-message-ttl": seconds * 1000,
                "x-dead-letter-exchange": COMMANDS.name,
                "x-dead-letter-routing-key": stage,
                "x-dead-letter-strategy": "at-least-once",
                "x-overflow": "reject-publish",
                "x-max-length": MAX_WAITING_COMMANDS,
            }
        ),
    )


def dead_letter_queue(stage: str) -> Queue:
    """The dead letters of one stage, kept for people; moved back to the work queue, one is processed again."""
    return Queue(
        f"stagecast.{stage}.dead",
        "quorum",
        ((DEAD, stage),),
        MappingProxyType({"x-delivery-limit": NO_LIMIT}),
        may_stand_as_it_is=True,
    )


DEAD_REPORT = Queue(
    "stagecast.dead.report",
    "quorum",
    ((DEAD, "#"),),
    MappingProxyType({"x-delivery-limit": NO_LIMIT}),
    may_stand_as_it_is=True,
)
"""A copy of each dead letter, from which the API tells the owner that the document failed."""

QUERY = Queue(
    "stagecast.query",
    "classic",
    ((COMMANDS, "query"),),
    MappingProxyType({"x-message-ttl": QUERY_TTL_MS, "x-max-length": 1000, "x-overflow": "reject-publish"}),
)

LOG = Queue(
    "stagecast.events.log",
    "stream",
    ((EVENTS, "#"),),
    MappingProxyType(
        {
            "x-max-age": LOG_MAX_AGE,
            "x-max-length-bytes": LOG_MAX_BYTES,
            "x-stream-max-segment-size-bytes": LOG_SEGMENT_BYTES,
        }
    ),
)


def lanes_of(spec: stages.StageSpec) -> list[Queue]:
    """The work queues of a stage, in the order in which it takes from them."""
    return [work_queue(spec.name, lane) for lane in Lane]


def work_queues() -> list[Queue]:
    """The work queues of each stage."""
    return [queue for spec in stages.STAGES for queue in lanes_of(spec)]


def queues_of(spec: stages.StageSpec) -> list[Queue]:
    """The queues without which a stage can't work: of its commands, what becomes of them, and what it says."""
    following = stages.following(spec)
    return [
        LOG,
        *lanes_of(spec),
        *(lanes_of(following) if following else []),
        *(retry_queue(spec.name, seconds) for seconds in RETRY_SECONDS),
        dead_letter_queue(spec.name),
        DEAD_REPORT,
    ]


def queues() -> list[Queue]:
    """Every queue, in an order in which each exists before something is dead-lettered into it."""
    names = [spec.name for spec in stages.STAGES]
    return [
        LOG,
        DEAD_REPORT,
        *map(dead_letter_queue, names),
        *work_queues(),
        *(retry_queue(name, seconds) for name in names for seconds in RETRY_SECONDS),
        QUERY,
    ]
