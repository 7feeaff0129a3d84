"""The pipeline as operators look at it: of each stage and lane what waits and runs, and what lies behind."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from contracts import stages, topology
from contracts.lanes import Lane
from contracts.stages import StageSpec
from contracts.wire import Timestamp, WireModel
from services.api.log.event_log import EventLog
from services.api.pipeline.lane_counts import RATE_SECONDS, LaneCount, count_lane
from services.api.projection.projection_position import read_position
from services.runtime.database.engine import snapshot
from services.runtime.messaging.queue_watch import QueueWatch


class LaneView(WireModel):
    """One lane of a stage. ``oldest_waiting`` is in seconds, ``rate`` in documents a second over the last minute.

    ``waiting`` counts commands in the queue, of which a document may have several, and documents whose owner's turn
    has not come; ``running`` counts documents.
    """

    lane: Lane
    queue: str
    waiting: int
    running: int
    oldest_waiting: float | None
    rate: float
    workers: int


class StageView(WireModel):
    """One stage."""

    stage: str
    service: str
    lanes: list[LaneView]


class Pipeline(WireModel):
    """``log_end`` is the id of the newest event, ``projection_lag`` how many of them the lists do not show yet."""

    at: Timestamp
    stages: list[StageView]
    dead_letters: int
    log_end: str
    projection_lag: int


@dataclass(frozen=True)
class PipelineOverview:
    """Reads it: queues as they were looked at within the last second or so, the rest from the database."""

    engine: AsyncEngine
    queues: QueueWatch
    event_log: EventLog

    async def read(self) -> Pipeline:
        """Return the pipeline as it is now."""
        async with snapshot(self.engine) as connection:
            views = [await self._stage(connection, spec) for spec in stages.STAGES]
            projected = await read_position(connection)
        head = self.event_log.head
        dead = [topology.dead_letter_queue(spec.name) for spec in stages.STAGES]
        return Pipeline(
            at=datetime.now(UTC),
            stages=views,
            dead_letters=sum(map(self.queues.waiting, dead)),
            log_end=str(head),
            projection_lag=max(0, head.offset - projected.offset),
        )

    async def _stage(self, connection: AsyncConnection, spec: StageSpec) -> StageView:
        lanes = [self._lane(spec, lane, await count_lane(connection, spec, lane)) for lane in Lane]
        return StageView(stage=spec.name, service=spec.service, lanes=lanes)

    def _lane(self, spec: StageSpec, lane: Lane, count: LaneCount) -> LaneView:
        queue = topology.work_queue(spec.name, lane)
        oldest = (datetime.now(UTC) - count.oldest).total_seconds() if count.oldest else None
        return LaneView(
            lane=lane,
            queue=queue.name,
            waiting=self.queues.waiting(queue) + count.waits_for_turn,
            running=count.running,
            oldest_waiting=None if oldest is None else round(max(0.0, oldest), 1),
            rate=round(count.ended / RATE_SECONDS, 3),
            workers=self.queues.consumers(queue),
        )
