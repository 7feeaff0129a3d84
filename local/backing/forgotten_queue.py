"""Whether a private node has forgotten a queue for good, asked of its own tables."""

import subprocess

from local.backing.rabbitmq import PrivateBroker

SECONDS = 10.0

IS_FORGOTTEN = """
    (fun() ->
        [Q] = mnesia:dirty_read(rabbit_durable_queue, rabbit_misc:r(<<"VHOST">>, queue, <<"QUEUE">>)),
        IsUnnamed = fun(System, Name) -> ra_directory:uid_of(System, Name) == undefined end,
        Coordinator = rabbit_stream_coordinator,
        case amqqueue:get_type(Q) of
            rabbit_quorum_queue ->
                {Name, _} = amqqueue:get_pid(Q),
                IsUnnamed(quorum_queues, Name);
            rabbit_stream_queue ->
                #{name := Stream} = amqqueue:get_type_state(Q),
                case whereis(Coordinator) of
                    undefined ->
                        IsUnnamed(coordination, Coordinator);
                    _ ->
                        Knows = fun(State) -> maps:is_key(Stream, element(2, State)) end,
                        {ok, {_, IsKnown}, _} = ra:local_query({Coordinator, node()}, Knows),
                        not IsKnown
                end
        end
    end)()."""
"""True where a quorum queue's Raft log has no name any more, or the coordinator does not know the stream.

A queue that did not come up with its node is in the table of durable ones alone.
Read in rabbit_stream_coordinator (``recover``, ``ensure_coordinator_started``) and ra_directory of RabbitMQ 3.10:
no start of the node brings such a queue back.
"""


def is_forgotten(broker: PrivateBroker, queue: str, vhost: str = "/") -> bool:
    """Return whether the node is sure to have lost the queue; false where it may only be slow."""
    question = IS_FORGOTTEN.replace("VHOST", vhost).replace("QUEUE", queue)
    try:
        return broker.evaluate(question, SECONDS) == "true"
    except subprocess.SubprocessError:
        return False
