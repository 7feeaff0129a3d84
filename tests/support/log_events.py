"""Events that a test puts into the log by itself, as a stage would."""

import asyncio
from collections.abc import Sequence

import aio_pika

from contracts import topology
from contracts.events import StatusEvent


def numbered(count: int, document_id: str, message: str = "") -> list[StatusEvent]:
    """The events ``<document_id>-0``, ``<document_id>-1`` and so on of a document."""
    return [
        StatusEvent.model_validate(
            {
                "eventId": f"{document_id}-{number}",
                "documentId": document_id,
                "status": "parsing",
                "message": message,
                "timestamp": "2026-11-22T06:00:00.123Z",
                "source": "parser",
            }
        )
        for number in range(count)
    ]


def publish(rabbitmq_url: str, events: Sequence[StatusEvent]) -> None:
    """Append events to the log, a hundred in flight; all are confirmed."""

    async def run() -> None:
        async with await aio_pika.connect(rabbitmq_url) as connection:
            channel = await connection.channel(on_return_raises=True)
            exchange = await channel.get_exchange(topology.EVENTS.name, ensure=False)
            for start in range(0, len(events), 100):
                await asyncio.gather(
                    *(
                        exchange.publish(
                            aio_pika.Message(event.to_wire(), type=event.type), event.routing_key
                        )
                        for event in events[start : start + 100]
                    )
                )

    asyncio.run(run())
