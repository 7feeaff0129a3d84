"""How many documents are where, counted in the database: one statement for all stages and lanes."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, DateTime, Select, and_, case, cast, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts import stages
from contracts.lanes import Lane
from contracts.stages import StageSpec
from contracts.statuses import REPEATED, Status
from services.runtime.database.tables import IS_ALIVE, IS_UPLOADED, documents

RATE_SECONDS = 60.0
"""Over so many of the last seconds a rate is taken."""


@dataclass(frozen=True)
class LaneCount:
    """The documents of one stage in one lane: ``running`` are worked on, ``ended`` went on in ``RATE_SECONDS``."""

    running: int = 0
    waits_for_turn: int = 0
    """Of those that wait: has not its owner's turn yet, and so no command in the queue."""
    oldest: datetime | None = None
    """Since when the one waits that has waited longest."""
    ended: int = 0


async def count_lane(connection: AsyncConnection, spec: StageSpec, lane: Lane) -> LaneCount:
    """Count one stage's documents in one lane; of a stage that is a part of another's nothing is known here."""
    before = _waiting_status(spec)
    if before is None:
        return LaneCount()
    waits = _has_status(before)
    since = case((_has_begun_anew(), documents.c.attempted_at), else_=documents.c.updated_at)
    under_way = select(
        func.count().filter(documents.c.status.in_(_running_statuses(spec)), ~_has_begun_anew()),
        func.count().filter(waits, documents.c.commanded_at.is_(None)),
        func.min(since).filter(waits),
    ).where(_of_lane(lane), IS_ALIVE, IS_UPLOADED, documents.c.outcome.is_(None))
    row = (await connection.execute(under_way)).one()
    ended: int | None = (await connection.execute(_ended_lately(spec, lane))).scalar()
    running, waits_for_turn, oldest = row
    return LaneCount(running, waits_for_turn, oldest, ended or 0)


def _waiting_status(spec: StageSpec) -> Status | None:
    """The status in which a document waits for a stage."""
    if not spec.statuses:
        return None
    before = next((one for one in stages.STAGES if one.next == spec.name and one.statuses), None)
    return before.statuses[-1] if before else spec.statuses[0]


def _running_statuses(spec: StageSpec) -> list[str]:
    return [status.value for status in spec.statuses if status in REPEATED]


def _has_begun_anew() -> ColumnElement[bool]:
    """An attempt of which the log has not told yet: it waits for the first stage, whatever the row says."""
    return documents.c.status_attempt < documents.c.attempt


def _has_status(status: Status) -> ColumnElement[bool]:
    has = and_(documents.c.status == status.value, ~_has_begun_anew())
    return has | _has_begun_anew() if status is stages.first().statuses[0] else has


def _of_lane(lane: Lane) -> ColumnElement[bool]:
    # A document of a release before lanes has none, and is in the first.
    return func.coalesce(documents.c.lane, literal(Lane.FIRST.value)) == lane.value


def _ended_lately(spec: StageSpec, lane: Lane) -> Select[int]:
    ended = cast(documents.c.stages[spec.stage]["endedAt"].astext, DateTime(timezone=True))
    lately = func.now() - func.make_interval(0, 0, 0, 0, 0, 0, RATE_SECONDS)
    # What ended lately was written lately: the index of that makes this a look at a minute's documents.
    return select(func.count()).where(documents.c.updated_at > lately, _of_lane(lane), ended > lately)
