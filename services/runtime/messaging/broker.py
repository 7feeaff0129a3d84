"""The connection to RabbitMQ on which a service consumes and publishes."""

import logging
from collections.abc import Sequence
from functools import cache
from typing import Any

from faststream._internal.types import BrokerMiddleware
from faststream.rabbit import Channel, ExchangeType, RabbitBroker, RabbitExchange, RabbitQueue
from faststream.rabbit.schemas.queue import QueueType

from contracts import topology
from services.runtime.messaging.connection import CONNECT_SECONDS, broker_address
from services.runtime.process.settings import CommonSettings


def create_broker(
    settings: CommonSettings, service: str, middlewares: Sequence[BrokerMiddleware[Any, Any]] = ()
) -> RabbitBroker:
    """Return a broker that raises when a message can't be routed, instead of losing it silently."""
    return RabbitBroker(
        broker_address(settings.rabbitmq_url),
        timeout=CONNECT_SECONDS,  # else who takes a connection and says nothing is waited for for ever
        app_id=f"stagecast.{service}",
        default_channel=Channel(on_return_raises=True),
        graceful_timeout=settings.shutdown_seconds,
        reconnect_interval=1.0,
        fail_fast=False,
        middlewares=middlewares,
        logger=logging.getLogger("faststream"),
        log_level=logging.DEBUG,
    )


def passive_queue(queue: topology.Queue) -> RabbitQueue:
    """Return the queue for a subscriber; it was declared at start, with arguments that stand in one place."""
    return RabbitQueue(queue.name, queue_type=QueueType.QUORUM, declare=False)


@cache
def passive_exchange(exchange: topology.Exchange) -> RabbitExchange:
    """Return the exchange for a publisher; it was declared at start."""
    return RabbitExchange(exchange.name, type=ExchangeType(exchange.kind), durable=True, declare=False)
