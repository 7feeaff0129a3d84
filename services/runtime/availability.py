"""Which errors pass by themselves: a dependency is away, and the work should be tried again."""

from aio_pika.exceptions import AMQPError, ChannelInvalidStateError
from obstore.exceptions import BaseError as ObjectStoreError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

# A channel whose connection is gone raises ChannelInvalidStateError, which is no AMQPError.
BROKER_ERRORS = (AMQPError, ChannelInvalidStateError, ConnectionError, TimeoutError, OSError)


class Transient(Exception):
    """A failure that is nobody's fault and passes by itself; the same work may succeed later."""


class Unavailable(Transient):
    """``dependency`` (``broker``, ``database``, ``object store`` or ``embedder``) does not answer."""

    def __init__(self, dependency: str, reason: str) -> None:
        super().__init__(f"the {dependency} does not answer: {reason}")
        self.dependency = dependency


def is_transient(error: BaseException) -> bool:
    """Whether the same work may succeed later without anybody changing it."""
    if isinstance(error, (Transient, OperationalError, InterfaceError, PoolTimeoutError, ObjectStoreError)):
        return True
    if isinstance(error, DBAPIError):
        return error.connection_invalidated
    return isinstance(error, (AMQPError, ChannelInvalidStateError, ConnectionError, TimeoutError))
