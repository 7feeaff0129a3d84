"""Loses queues of a node as a full disk does: their names stay, and what should work behind them is gone."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from contracts import topology
from tests.support.virtual_host import PrivateVirtualHost

LOSE_STREAM = """
    (fun() ->
        {ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"VHOST">>, queue, <<"QUEUE">>)),
        #{name := Stream} = amqqueue:get_type_state(Q),
        Forget = {delete_stream, Stream, #{}},
        {ok, ok, _} = ra:process_command({rabbit_stream_coordinator, node()}, Forget)
    end)()"""
STOP = "ok = ra:stop_server(quorum_queues, {'VHOST_QUEUE', node()})"
START = "ra:restart_server(quorum_queues, {'VHOST_QUEUE', node()})"


@contextmanager
def lost_queues(host: PrivateVirtualHost, quorum: topology.Queue, stream: topology.Queue) -> Iterator[None]:
    """The quorum queue's process has ended, and the coordinator of streams has forgotten the stream, for good.

    Afterwards the one begins again, from its files. All at once, since each call of ``rabbitmqctl`` takes more
    than a second.
    """
    _evaluate(host, _of(host, STOP, quorum), _of(host, LOSE_STREAM, stream))
    try:
        yield
    finally:
        _evaluate(host, _of(host, START, quorum))


def _of(host: PrivateVirtualHost, expression: str, queue: topology.Queue) -> str:
    vhost = urlsplit(host.url).path.removeprefix("/")
    return expression.replace("VHOST", vhost).replace("QUEUE", queue.name)


def _evaluate(host: PrivateVirtualHost, *expressions: str) -> None:
    host.broker.control("eval", ", ".join(expressions) + ".")
