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
    return f"unless `make up` repairs its own broker: {first}; if that is refused: {second} (docs/repair.md)"
