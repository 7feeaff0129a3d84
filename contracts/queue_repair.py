"""The words with which an operator is told how a queue that is down is repaired."""

from urllib.parse import unquote, urlsplit


def repair_commands(queue: str, rabbitmq_url: str) -> tuple[str, str]:
    """Return two commands of the broker's machine: one that deletes the queue, and one for where that is refused.

    RabbitMQ 3.10 refuses the first for a stream whose coordinator has lost it ("Queue not found"). Once its name is
    gone, the queue is declared anew by us.
    """
    vhost = unquote(urlsplit(rabbitmq_url).path.removeprefix("/")) or "/"
    name = f'rabbit_misc:r(<<"{vhost}">>, queue, <<"{queue}">>)'
    return (
        f"rabbitmqctl delete_queue --vhost {vhost} {queue}",
        f"rabbitmqctl eval 'rabbit_amqqueue:internal_delete({name}, <<\"stagecast\">>).'",
    )


def repair_sentence(queue: str, rabbitmq_url: str) -> str:
    """Return what helps, for a log."""
    first, second = repair_commands(queue, rabbitmq_url)
    return (
        f"start the broker again, with room on its disk (make up does it by itself); if it stays down: {first} "
        f"or, where that is refused, {second}; it is then declared anew, without what lay in it (docs/repair.md)"
    )
