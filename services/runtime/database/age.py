"""The age of what a row notes, by a clock that may have been set in between, or that is another machine's."""

from datetime import timedelta

from sqlalchemy import ColumnElement, case, func


def is_older(moment: ColumnElement[object], than: timedelta) -> ColumnElement[bool]:
    """Return the condition that a moment is longer ago than ``than``; false for null.

    One that is as far ahead counts as old: a clock was set back since it was noted, and the wait that was meant to
    last for seconds would last until it has come round again.
    """
    return (moment < func.now() - than) | (moment > func.now() + than)


def latest_past(*moments: ColumnElement[object]) -> ColumnElement[object]:
    """Return the latest of some moments that has come, or the beginning of time."""
    past = (case((moment <= func.now(), moment)) for moment in moments)
    return func.coalesce(func.greatest(*past), func.to_timestamp(0))
