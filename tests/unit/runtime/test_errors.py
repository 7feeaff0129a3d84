"""What PostgreSQL says when it is full, starts, stops or can only be read is an absence, and no bug."""

import psycopg.errors
import pytest
from sqlalchemy.dialects.postgresql import psycopg as dialect
from sqlalchemy.exc import DBAPIError

from services.runtime.errors import is_transient

PASSES = (
    "53100",  # disk_full, also at a COMMIT
    "53200",  # out_of_memory
    "53300",  # too_many_connections
    "57P01",  # admin_shutdown
    "57P02",  # crash_shutdown: after a PANIC of the write-ahead log
    "57P03",  # cannot_connect_now
    "58030",  # io_error
    "25006",  # read_only_sql_transaction
    "25P03",  # idle_in_transaction_session_timeout
    "40P01",  # deadlock_detected
)
STAYS = (
    "42P01",
    "22P02",
    "23505",
    "XX000",
    "25P02",
)  # a table, a value, a key, what it can't name, our own mistake


def as_sqlalchemy_raises_it(state: str) -> BaseException:
    error = psycopg.errors.lookup(state)("told by the server")
    raised = DBAPIError.instance(
        "SELECT 1",
        {},
        error,
        psycopg.Error,
        dialect=dialect.dialect(),  # type: ignore[no-untyped-call]  # SQLAlchemy's
    )
    assert isinstance(raised, DBAPIError)
    return raised


@pytest.mark.parametrize("state", PASSES)
def test_what_the_database_gets_over_by_itself_is_tried_again(state: str) -> None:
    assert is_transient(as_sqlalchemy_raises_it(state))


@pytest.mark.parametrize("state", STAYS)
def test_what_is_wrong_with_a_statement_is_a_bug(state: str) -> None:
    assert not is_transient(as_sqlalchemy_raises_it(state))
