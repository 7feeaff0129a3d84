"""The expected errors, and which of them pass by themselves: then the work is tried again."""

from aio_pika.exceptions import AMQPError, ChannelInvalidStateError
from faststream.exceptions import IncorrectState
from obstore.exceptions import BaseError as ObjectStoreError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from contracts.failures import StagecastError

BROKER_ERRORS = (
    AMQPError,
    ConnectionError,
    TimeoutError,
    OSError,
    ChannelInvalidStateError,  # a RuntimeError: the channel closed a moment ago
    IncorrectState,
)

PASSING_STATES = frozenset(
    (
        "25006",  # read_only_sql_transaction: a standby; a database that its host locked as it was full
        "25P03",  # idle_in_transaction_session_timeout
        "25P04",  # transaction_timeout
    )
)
"""Of PostgreSQL, beside those that psycopg counts as operational (a full disk or memory, a server that starts or
stops, too many connections): these pass too, and have the class of a bug."""


class Transient(StagecastError):
    """A failure that passes by itself; the same work may succeed later."""


class Unavailable(Transient):
    """``dependency`` (``broker``, ``database``, ``object store`` or ``embedder``) does not answer.

    Or it does and would take nothing: then ``told``, without a full stop, says so to who asked.
    """

    def __init__(self, dependency: str, reason: str, told: str | None = None) -> None:
        super().__init__(f"the {dependency} does not answer: {reason}")
        self.dependency = dependency
        self.told = told or f"The {dependency} does not answer"


class NoRoom(Transient):
    """Less than the reserve of disk space is free, or would be; the sentence is for operators."""


def is_transient(error: BaseException) -> bool:
    """Return whether the same work may succeed later without anybody changing it."""
    if isinstance(error, (Transient, OperationalError, InterfaceError, PoolTimeoutError, ObjectStoreError)):
        return True
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or getattr(error.orig, "sqlstate", None) in PASSING_STATES
    # MemoryError: once is bad luck. OSError: a disk that is full or gone, a file system that does not answer.
    return isinstance(error, (*BROKER_ERRORS, MemoryError))


class Superseded(StagecastError):
    """The document was deleted, its attempt has ended, or a newer one has begun; who works on it stops quietly."""


class MalformedMessage(StagecastError):
    """A body that doesn't fit the schema of its queue; the sentence names the fields."""
