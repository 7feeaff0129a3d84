"""The process of a stage: its connections, the subscribers of its commands, and its health beside them."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from faststream import AckPolicy
from faststream.asgi import AsgiFastStream
from faststream.rabbit import Channel, RabbitBroker, RabbitRouter
from faststream.rabbit.annotations import RabbitMessage
from faststream.rabbit.prometheus import RabbitPrometheusMiddleware
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts import topology
from contracts.lanes import Lane
from contracts.stages import StageSpec
from services.runtime.database.engine import create_engine, required_database_url
from services.runtime.database.migrate import migrate_when_up
from services.runtime.messaging.acknowledgement import acknowledging, decode_as
from services.runtime.messaging.broker import create_broker, passive_queue
from services.runtime.messaging.broker_watch import BrokerWatch
from services.runtime.messaging.consumption import Consumption
from services.runtime.messaging.declare import declare_topology
from services.runtime.messaging.publisher import Publisher
from services.runtime.process.background import cancel_all, supervise
from services.runtime.process.disk_reserve import DiskReserve, disk_reserve
from services.runtime.process.health import broker_check, database_check
from services.runtime.process.settings import CommonSettings
from services.runtime.process.worker import worker_app

FOLLOW_SECONDS = 0.5

Handler = Callable[[Any, RabbitMessage], Awaitable[None]]
"""Takes a command of its stage and the delivery that brought it."""


@dataclass(frozen=True)
class StageApp:
    """Wires a stage; connections open in the lifespan of what ``app`` gives."""

    spec: StageSpec
    settings: CommonSettings
    database_url: str
    engine: AsyncEngine
    broker: RabbitBroker
    publisher: Publisher
    registry: CollectorRegistry
    disk: DiskReserve
    watch: BrokerWatch
    consumed: list[Consumption] = field(default_factory=list)

    @classmethod
    def create(
        cls,
        spec: StageSpec,
        settings: CommonSettings,
        *,
        connections: int,
        also_needs: Sequence[topology.Queue] = (),
    ) -> Self:
        """Make the clients of a stage's process, with a pool of so many connections to the database.

        Without the stage's queues, and those that it ``also_needs``, it is not ready.
        """
        registry = CollectorRegistry()
        database_url = required_database_url(settings)
        engine = create_engine(database_url, pool_size=connections)
        broker = create_broker(settings, spec.service, [RabbitPrometheusMiddleware(registry=registry)])
        disk = disk_reserve(settings)
        watch = BrokerWatch.of(settings.rabbitmq_url, [*topology.queues_of(spec), *also_needs])
        publisher = Publisher(broker, lanes=watch.queues)
        return cls(spec, settings, database_url, engine, broker, publisher, registry, disk, watch)

    def consume(self, handle: Handler, *, prefetch: int, bulk: Handler | None = None) -> None:
        """Have ``handle`` called for each command of the stage, and ``bulk`` for those in bulk, if it is given.

        Of each lane ``prefetch`` of them at a time: neither waits for the other's deliveries to be settled, and
        what they share (a model, processors) goes to the first by what the handlers do. While less than the reserve
        is free on a disk, no new ones are taken.
        """
        self._subscribe(Lane.FIRST, handle, prefetch)
        self._subscribe(Lane.BULK, bulk or handle, prefetch)

    def consume_beside(self, lane: Lane, handle: Handler, *, rests: Callable[[], str | None]) -> None:
        """Have ``handle`` called for one more command of a lane at a time, while ``rests`` gives no reason."""
        self._subscribe(lane, handle, 1, rests)

    def _subscribe(
        self, lane: Lane, handle: Handler, prefetch: int, rests: Callable[[], str | None] | None = None
    ) -> None:
        router = RabbitRouter(middlewares=[acknowledging(self.spec.name, self.publisher, lane)])
        subscriber = router.subscriber(
            passive_queue(topology.work_queue(self.spec.name, lane)),
            channel=Channel(prefetch_count=prefetch, on_return_raises=True),
            ack_policy=AckPolicy.MANUAL,
            decoder=decode_as(self.spec.command),
        )

        @subscriber
        async def on_command(command: Any, message: RabbitMessage) -> None:
            await handle(command, message)

        if rests is None:
            self.consumed.append(Consumption(subscriber, lambda: self.disk.shortage))
        else:
            self.consumed.append(Consumption(subscriber, lambda: self.disk.shortage or rests(), usual=True))
        self.broker.include_router(router)

    def app(
        self,
        *resources: AbstractAsyncContextManager[object],
        prepare: Callable[[], Awaitable[None]] | None = None,
        facts: Mapping[str, str] | None = None,
    ) -> AsgiFastStream:
        """The ASGI application, which enters ``resources`` once ``prepare``, broker and database are ready.

        ``facts`` stand in the answer of ``/readyz``.
        """

        @asynccontextmanager
        async def lifespan() -> AsyncIterator[None]:
            async with AsyncExitStack() as stack:
                stack.push_async_callback(self.engine.dispose)
                await migrate_when_up(self.database_url)
                if prepare is not None:
                    await prepare()
                await declare_topology(self.settings.rabbitmq_url)
                await asyncio.to_thread(self.disk.look)
                for name, task in self._background():
                    stack.push_async_callback(cancel_all, supervise(asyncio.create_task(task, name=name)))
                await self.watch.queues.known()
                for resource in resources:
                    await stack.enter_async_context(resource)
                await self.broker.start()
                gc.freeze()  # what stands now stays, and need not be looked through again and again
                yield

        checks = {
            "broker": broker_check(self.broker, self.watch),
            "database": database_check(self.engine),
            "disk": self.disk.check,
        }
        return worker_app(self.broker, lifespan, checks, self.registry, facts)

    def _background(self) -> list[tuple[str, Coroutine[Any, Any, None]]]:
        return [
            ("disk", self.disk.run()),
            ("room", self._follow_room()),
            ("broker watch", self.watch.run()),
            ("queue watch", self.watch.queues.run()),
        ]

    async def _follow_room(self) -> None:
        """Take commands while there is room for what comes of them."""
        while True:
            for consumption in self.consumed:
                await consumption.follow()
            await asyncio.sleep(FOLLOW_SECONDS)
