"""What a caller may see of passages: how many there are, how many have a word, and in which languages.

Frequencies are of the caller's own view alone: by those of everybody the scores of a text of his own would tell
him which words others have. Where he may see few passages they are counted as he asks, by the index. Of many, what
many of them have was counted in the background (``term_counting``): no search and no document waits for that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.api.access.caller import Caller
from services.runtime.errors import is_transient
from services.search_terms.bm25 import Statistics
from services.search_terms.dimensions import owner_dimension

MOST_COUNTED = 2_000
"""Passages that a search counts of a word at most; who may see more has his view counted in the background."""

SAMPLE_CHUNKS = 20_000
"""Of a view that is larger, documents are drawn with about so many chunks."""

COMMON_PART = 300
"""A word is counted in the background if one in so many passages has it, and as the search asks for it if not."""

RECOUNT_SECONDS = 600
KEPT_DAYS = 30

_OFF = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin", "jit")
_ALL = "true"
_MINE = (
    "passages.dimensions && CAST(:owners AS int[])"
    " AND (passages.owner_id IS NULL OR passages.owner_id = :owner_id)"
)


@dataclass(frozen=True)
class TermView:
    """The passages that a caller may see."""

    caller: Caller

    @property
    def name(self) -> str:
        """The key of ``term_views``."""
        return "all" if self.caller.sees_all else f"of {self.caller.owner_id or ''}"

    @cached_property
    def values(self) -> dict[str, object]:
        """What statements with ``condition`` are given."""
        if self.caller.sees_all:
            return {}
        owners = [owner_dimension(None), owner_dimension(self.caller.owner_id)]
        return {"owners": owners, "owner_id": self.caller.owner_id}

    @property
    def condition(self) -> str:
        """The condition on passages, by which the index keeps to them, with ``values``."""
        return _ALL if self.caller.sees_all else _MINE


@dataclass(frozen=True)
class KnownView:
    """What is known of a view; ``is_wanted`` where it should be counted in the background."""

    statistics: Statistics
    is_wanted: bool


# From one language to the next, each by a look into the index. And with it, for the rest of the transaction: by
# documents or by words, and then the best first, since whatever seems cheaper by the statistics reads all.
_BEGIN = f"""
WITH RECURSIVE spoken AS (
  SELECT min(language) AS language FROM passages
  UNION ALL
  SELECT (SELECT min(p.language) FROM passages p WHERE p.language > spoken.language) FROM spoken
  WHERE spoken.language IS NOT NULL
)
SELECT ARRAY(SELECT language FROM spoken WHERE language IS NOT NULL{{condition}}),
  {", ".join(f"set_config('{name}', 'off', true)" for name in _OFF)}
"""  # noqa: S608 - of constants
_IS_MINE = """ AND EXISTS (SELECT FROM passages p WHERE p.language = spoken.language
  AND coalesce(p.owner_id, '') IN ('', coalesce(CAST(:owner_id AS text), '')))"""
_BEGIN_ALL, _BEGIN_MINE = text(_BEGIN.format(condition="")), text(_BEGIN.format(condition=_IS_MINE))


def _frequencies(condition: str) -> str:
    return f"""
WITH counted AS MATERIALIZED (
  SELECT passage_count, dimensions, frequencies FROM term_views WHERE view = :view AND counted_at IS NOT NULL
),
common AS MATERIALIZED (
  SELECT one.dimension, one.frequency
  FROM counted, unnest(counted.dimensions, counted.frequencies) AS one (dimension, frequency)
  WHERE one.dimension = ANY(CAST(:dimensions AS int[]))
)
SELECT
  coalesce((SELECT passage_count FROM counted), (
    SELECT count(*) FROM (SELECT FROM passages WHERE {condition} LIMIT :most) few
  )) AS passage_count,
  ARRAY(
    SELECT coalesce(common.frequency, (
      SELECT count(*) FROM (
        SELECT FROM passages WHERE passages.dimensions @> ARRAY[asked.dimension] AND {condition} LIMIT :most
      ) few
    ))
    FROM unnest(CAST(:dimensions AS int[])) WITH ORDINALITY AS asked (dimension, place)
    LEFT JOIN common ON common.dimension = asked.dimension ORDER BY asked.place
  ) AS frequencies,
  (SELECT asked_at < now() - make_interval(secs => :old_seconds) FROM term_views WHERE view = :view) AS is_old
"""  # noqa: S608 - of constants


_OF_ALL, _OF_MINE = text(_frequencies(_ALL)), text(_frequencies(_MINE))
# While it is being counted nobody waits for that.
_ASK = text("""
WITH known AS (SELECT view FROM term_views WHERE view = :view FOR UPDATE SKIP LOCKED),
asked AS (UPDATE term_views SET asked_at = now() FROM known WHERE term_views.view = known.view)
INSERT INTO term_views (view) VALUES (:view) ON CONFLICT DO NOTHING
""")


async def begin_by_words(connection: AsyncConnection, view: TermView) -> list[str]:
    """Return the languages (ISO 639-1) of the passages of a view, and set what statements on words need.

    For the rest of the transaction.
    """
    if view.caller.sees_all:
        row = await connection.execute(_BEGIN_ALL)
    else:
        row = await connection.execute(_BEGIN_MINE, {"owner_id": view.caller.owner_id})
    return list(row.one()[0])


async def read_statistics(
    connection: AsyncConnection, view: TermView, dimensions: Sequence[int]
) -> KnownView:
    """Return how many passages of a view have each of the dimensions; of many it may be some minutes old."""
    values = {
        **view.values,
        "view": view.name,
        "dimensions": list(dimensions),
        "most": MOST_COUNTED,
        "old_seconds": RECOUNT_SECONDS / 2,
    }
    row = (await connection.execute(_OF_ALL if view.caller.sees_all else _OF_MINE, values)).one()
    statistics = Statistics(row.passage_count, dict(zip(dimensions, row.frequencies, strict=True)))
    is_many = row.passage_count >= MOST_COUNTED
    return KnownView(statistics, is_many if row.is_old is None else row.is_old)


async def want_counted(engine: AsyncEngine, view: TermView) -> None:
    """Note that a view is searched, so that it is counted in the background; else a later search does."""
    try:
        async with engine.begin() as connection:
            await connection.execute(_ASK, {"view": view.name})
    except DBAPIError as error:
        if not is_transient(error):  # a database that takes no writes is still searched
            raise
