"""What becomes of a queue that is down: whether a start of its node brings it back, by the node's own tables."""

import subprocess
from enum import StrEnum

from local.backing.rabbitmq import PrivateBroker

SECONDS = 15.0
"""Three starts of what keeps a queue, each of which may take four to answer, and what is asked before."""


class Fate(StrEnum):
    """What the node's tables say of a queue that is down."""

    UNKNOWN = "unknown"
    """It may only be slow, or the node does not answer."""
    ENDED = "ended"
    """What keeps its like has ended within the node, as on a full disk; a start of the node starts it again."""
    LOST = "lost"
    """What the node has on its disk does not bring it back."""


FATE_OF = """
    (fun() ->
        [Q] = mnesia:dirty_read(rabbit_durable_queue, rabbit_misc:r(<<"VHOST">>, queue, <<"QUEUE">>)),
        Type = amqqueue:get_type(Q),
        {System, Name} = case Type of
            rabbit_quorum_queue -> {quorum_queues, element(1, amqqueue:get_pid(Q))};
            rabbit_stream_queue -> {coordination, rabbit_stream_coordinator}
        end,
        Server = {Name, node()},
        OfStream = fun() ->
            #{name := Stream} = amqqueue:get_type_state(Q),
            Find = fun(State) -> maps:find(Stream, element(2, State)) end,
            {ok, {_, Found}, _} = ra:local_query(Server, Find),
            Updates = fun({ok, Known}) -> [N || {updating, N} <- tuple_to_list(Known)] end,
            IsAbsent = mnesia:dirty_read(rabbit_queue, amqqueue:get_name(Q)) == [],
            IsStuck = Found /= error andalso IsAbsent andalso Updates(Found) /= [],
            Failed = #{action => updating_mnesia, index => 0, node => node(), epoch => 0},
            IsStuck andalso ra:process_command(Server, {action_failed, Stream, Failed}, 3000),
            case Found of error -> lost; _ -> unknown end
        end,
        Life = fun
            Of(0) -> lost;
            Of(Starts) ->
                whereis(Name) == undefined andalso ra:restart_server(System, Server),
                Pid = whereis(Name),
                Answer = (catch ra:consistent_query(Server, fun(_) -> ok end, 3000)),
                timer:sleep(500),
                case {element(1, Answer), whereis(Name)} of
                    {_, Other} when Other /= Pid; Other == undefined -> Of(Starts - 1);
                    {ok, _} when Type == rabbit_stream_queue -> OfStream();
                    _ -> unknown
                end
        end,
        Systems = case whereis(ra_systems_sup) of
            undefined -> [];
            _ -> supervisor:which_children(ra_systems_sup)
        end,
        case lists:keymember(System, 1, Systems) andalso ra_directory:uid_of(System, Name) of
            false -> ended;
            undefined -> lost;
            _ -> Life(3)
        end
    end)()."""
"""Read in ra, ra_systems_sup and rabbit_stream_coordinator of RabbitMQ 3.10, and seen on full disks.

A queue that did not come up with its node is in the table of durable ones alone. Raft systems are started by a
node's start and by nothing else: where the write-ahead log met a full disk twice within 5 s, its system is gone,
and the tables with it. A Raft server without a name is not started, and the coordinator in its place knows no
stream. One that has its name may have lost a part of its log with the memory of a system that ended: it dies
whenever it reads or applies that, perhaps a moment after its first answer. The node starts it again at each use, as
is done here, and always in vain. A coordinator that has lost only that it had entered the stream among the node's
queues waits for that for ever, after each start: it is told what it tells itself where that fails, and tries again.
"""


def queue_fate(broker: PrivateBroker, queue: str, vhost: str = "/") -> Fate:
    """Ask the node for a queue that is down, and have it try once more what it had begun."""
    question = FATE_OF.replace("VHOST", vhost).replace("QUEUE", queue)
    try:
        return Fate(broker.evaluate(question, SECONDS))
    except (subprocess.SubprocessError, OSError, ValueError):
        return Fate.UNKNOWN
