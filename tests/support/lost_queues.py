"""Loses queues of a node as a full disk does: their names stay, and what should work behind them is gone."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from contracts import topology
from tests.support.virtual_host import PrivateVirtualHost

STREAM = """
    {ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"VHOST">>, queue, <<"QUEUE">>)),
    #{name := Stream} = amqqueue:get_type_state(Q),
    {ok, ok, _} = ra:process_command({rabbit_stream_coordinator, node()}, {delete_stream, Stream, #{}}).
"""
NAME = 'rabbit_amqqueue:internal_delete(rabbit_misc:r(<<"VHOST">>, queue, <<"QUEUE">>), <<"test">>).'
STOP = "ok = ra:stop_server(quorum_queues, {'VHOST_QUEUE', node()})."
START = "ok = ra:restart_server(quorum_queues, {'VHOST_QUEUE', node()})."


@contextmanager
def lost_stream(host: PrivateVirtualHost, queue: topology.Queue) -> Iterator[None]:
    """The coordinator forgets the stream, for good; afterwards its name goes too, or its vhost can't be removed."""
    _evaluate(host, STREAM, queue)
    try:
        yield
    finally:
        _evaluate(host, NAME, queue)


@contextmanager
def stopped_queue(host: PrivateVirtualHost, queue: topology.Queue) -> Iterator[None]:
    """The quorum queue's process has ended; afterwards it begins again, from its files."""
    _evaluate(host, STOP, queue)
    try:
        yield
    finally:
        _evaluate(host, START, queue)


def _evaluate(host: PrivateVirtualHost, expression: str, queue: topology.Queue) -> None:
    vhost = urlsplit(host.url).path.removeprefix("/")
    host.broker.control("eval", expression.replace("VHOST", vhost).replace("QUEUE", queue.name))
