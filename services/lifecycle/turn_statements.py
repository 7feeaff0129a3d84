"""Lanes and turns: in which lane a document's commands go, and whether it is its owner's turn.

An owner has so many documents at once in each lane; the others wait in the database, where nothing loses them, and
each takes its turn when an earlier one ends. So the queues have work of all owners in turn, and nobody's thousand
documents stand before somebody's one. Windows are limits of what is usual: of several statements that run at once
each may see room for one more.
"""

from dataclasses import dataclass

from sqlalchemy import bindparam, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.lanes import Lane, Priority
from services.lifecycle.document_attempt import DocumentAttempt
from services.runtime.database.tables import IS_ALIVE, IS_UPLOADED, documents

LARGE_WEIGHT = 8
"""Documents that a large one counts as in the window of bulk: it has as much work as many."""
LEAST_IN_BULK = 2
"""Documents that an owner may have in bulk, however many owners there are: one is embedded, one is parsed."""


@dataclass(frozen=True)
class Shares:
    """What is large, and how much of a lane is an owner's."""

    large_bytes: int
    """A document of more is bulk."""
    owner_share: int
    """Documents that an owner may have under way; one that is uploaded beyond them is bulk."""
    owner_window: int
    """Documents that an owner has in the first lane at once."""
    bulk_window: int
    """Documents that are in bulk at once, shared by the owners who have some there."""


@dataclass(frozen=True)
class Turn:
    """The lane of an attempt, and whether its commands are to be sent; else it waits."""

    lane: Lane
    has_come: bool


_IN_HAND = "commanded_at IS NOT NULL AND outcome IS NULL AND deleted_at IS NULL AND sha256 IS NOT NULL"
_WAITING = "waiting_since IS NOT NULL AND commanded_at IS NULL AND outcome IS NULL AND deleted_at IS NULL"
_WEIGHT = f"CASE WHEN size > :large_bytes THEN {LARGE_WEIGHT} ELSE 1 END"
_IS_SMALL = f"priority <> '{Priority.BULK}' AND size <= :large_bytes"
_OF_OWNER = "coalesce(owner_id, '') = this.owner AND document_id <> this.document_id"

# What is in hand is bounded by the windows, and of what waits no more is counted than makes a difference.
_TAKE_TURN = text(f"""
WITH this AS (
  SELECT document_id, coalesce(owner_id, '') AS owner, lane, {_WEIGHT} AS weight, {_IS_SMALL} AS is_small
  FROM documents WHERE document_id = :document_id AND attempt = :attempt
    AND outcome IS NULL AND deleted_at IS NULL AND sha256 IS NOT NULL AND commanded_at IS NULL FOR NO KEY UPDATE
),
decided AS (
  SELECT this.*, coalesce(this.lane, CASE WHEN is_small AND (
    (SELECT count(*) FROM documents WHERE lane = '{Lane.FIRST}' AND {_OF_OWNER} AND {_IN_HAND})
    + (SELECT count(*) FROM documents WHERE lane = '{Lane.BULK}' AND {_OF_OWNER} AND {_IN_HAND} AND {_IS_SMALL})
    + (SELECT count(*) FROM (
        SELECT FROM documents WHERE {_OF_OWNER} AND {_WAITING} AND {_IS_SMALL} LIMIT :owner_share
      ) waiting)
    ) < :owner_share THEN '{Lane.FIRST}' ELSE '{Lane.BULK}' END) AS turn
  FROM this
),
judged AS (
  SELECT this.document_id, turn, CASE turn WHEN '{Lane.FIRST}' THEN (
    SELECT count(*) FROM documents WHERE lane = '{Lane.FIRST}' AND {_OF_OWNER} AND {_IN_HAND}
  ) < :owner_window ELSE (
    SELECT count(*) = 0 OR sum({_WEIGHT}) + this.weight <= greatest({LEAST_IN_BULK}, :bulk_window / (
      SELECT 1 + count(DISTINCT coalesce(owner_id, '')) FROM documents
      WHERE lane = '{Lane.BULK}' AND {_IN_HAND} AND coalesce(owner_id, '') <> this.owner
    )) FROM documents WHERE lane = '{Lane.BULK}' AND {_OF_OWNER} AND {_IN_HAND}
  ) END AS has_come
  FROM decided this
)
UPDATE documents SET lane = turn, commanded_at = CASE WHEN has_come THEN now() END, waiting_since =
  CASE WHEN has_come THEN waiting_since ELSE coalesce(waiting_since, now()) END
FROM judged WHERE documents.document_id = judged.document_id RETURNING turn, has_come
""")  # noqa: S608 - of constants

# In the order of their lane's index; those whom somebody else just gives their turn are left out.
_TAKE_TURNS = text(f"""
WITH hand AS (
  SELECT count(*) AS documents, coalesce(sum({_WEIGHT}), 0) AS weight FROM documents
  WHERE lane = :lane AND coalesce(owner_id, '') = :owner AND {_IN_HAND}
),
room AS (
  SELECT documents = 0 AS is_idle, CASE CAST(:lane AS text) WHEN '{Lane.FIRST}' THEN :owner_window - documents
    ELSE greatest({LEAST_IN_BULK}, :bulk_window / (
      SELECT 1 + count(DISTINCT coalesce(owner_id, '')) FROM documents
      WHERE lane = '{Lane.BULK}' AND {_IN_HAND} AND coalesce(owner_id, '') <> :owner
    )) - weight END AS documents
  FROM hand
),
waiting AS MATERIALIZED (
  SELECT document_id, waiting_since,
    CASE CAST(:lane AS text) WHEN '{Lane.FIRST}' THEN 1 ELSE {_WEIGHT} END AS weight
  FROM documents WHERE coalesce(owner_id, '') = :owner AND lane = :lane AND {_WAITING}
  ORDER BY waiting_since LIMIT (SELECT greatest(documents, 1) FROM room) FOR NO KEY UPDATE SKIP LOCKED
),
ordered AS (
  SELECT document_id, sum(weight) OVER (ORDER BY waiting_since, document_id) AS weight,
    row_number() OVER (ORDER BY waiting_since, document_id) = 1 AS is_next FROM waiting
)
UPDATE documents SET commanded_at = now() FROM ordered, room
WHERE documents.document_id = ordered.document_id AND (weight <= room.documents OR (is_next AND is_idle))
RETURNING documents.document_id, documents.attempt
""")  # noqa: S608 - of constants
_OWNERS_WAITING = text(f"SELECT DISTINCT coalesce(owner_id, ''), lane FROM documents WHERE {_WAITING}")  # noqa: S608 - of constants

_NOTE_LANE = (
    update(documents)
    .where(
        documents.c.document_id == bindparam("key"),
        documents.c.attempt == bindparam("key_attempt"),
        IS_ALIVE,
        IS_UPLOADED,
    )
    .values(lane=bindparam("lane"))
)


async def take_turn(connection: AsyncConnection, attempt: DocumentAttempt, shares: Shares) -> Turn | None:
    """Decide the lane of an attempt unless that is done, and note that its commands are sent, or that it waits.

    None where they were sent already, it has ended or the document is deleted. Until the transaction ends, the
    document can be neither deleted, nor started anew, nor ended.
    """
    values = {"document_id": attempt.document_id, "attempt": attempt.attempt, **_limits(shares)}
    row = (await connection.execute(_TAKE_TURN, {**values, "owner_share": shares.owner_share})).one_or_none()
    return None if row is None else Turn(Lane(row.turn), row.has_come)


async def take_turns(
    connection: AsyncConnection, owner: str, lane: str, shares: Shares
) -> list[tuple[str, int]]:
    """Note that the commands of an owner's attempts are sent that waited longest, as many as there is room for.

    ``owner`` is empty for nobody. Return their keys. Until the transaction ends, the documents can be neither
    deleted, nor started anew, nor ended.
    """
    rows = await connection.execute(_TAKE_TURNS, {"owner": owner, "lane": lane, **_limits(shares)})
    return [(document_id, attempt) for document_id, attempt in rows]


async def owners_waiting(connection: AsyncConnection) -> list[tuple[str, str]]:
    """The owners who have attempts that wait for their turn, each with a lane."""
    return [(owner, lane) for owner, lane in await connection.execute(_OWNERS_WAITING)]


async def note_lane(connection: AsyncConnection, attempt: DocumentAttempt, lane: Lane) -> None:
    """Note the lane of the commands that are sent from now on for an attempt."""
    await connection.execute(
        _NOTE_LANE, {"key": attempt.document_id, "key_attempt": attempt.attempt, "lane": lane.value}
    )


def _limits(shares: Shares) -> dict[str, object]:
    return {
        "large_bytes": shares.large_bytes,
        "owner_window": shares.owner_window,
        "bulk_window": shares.bulk_window,
    }
