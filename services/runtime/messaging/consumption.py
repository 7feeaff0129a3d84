"""Stops and resumes the consumption of a queue, while its deliveries in hand are worked on."""

import time
from collections.abc import Callable

from faststream.rabbit.subscriber.usecase import RabbitSubscriber

from services.runtime.errors import BROKER_ERRORS
from services.runtime.process.logging import get_logger

AGAIN_SECONDS = 2.0

log = get_logger(__name__)


class Consumption:
    """The consumer of a subscriber, cancelled while there is a ``reason`` to take nothing new.

    Not FastStream's own ``stop``: it first waits for what is in hand, lets the deliveries that come meanwhile lie
    unsettled on the channel for good, and only then cancels. Nor may deliveries wait in the handler: a broker
    closes the channel of who holds one for half an hour, and counts each as a redelivery.
    """

    def __init__(
        self, subscriber: RabbitSubscriber, reason: Callable[[], str | None], *, usual: bool = False
    ) -> None:
        """With ``usual``, to take nothing is the rule, and no warning."""
        self._usual = usual
        self._subscriber = subscriber
        self._reason = reason
        self._is_paused = False
        self._is_cancelled = False
        self._not_before = 0.0

    async def follow(self) -> None:
        """Cancel or consume as the reason wants it now; to be called again and again."""
        wanted = self._reason() is not None
        is_done = self._is_cancelled if wanted else not self._is_paused
        if is_done or time.monotonic() < self._not_before:
            return
        try:
            await (self._pause() if wanted else self._resume())
        except (*BROKER_ERRORS, RuntimeError) as error:
            # A queue that is down costs the connection each time that it is asked.
            self._not_before = time.monotonic() + AGAIN_SECONDS
            log.info("consumption_unchanged", reason=str(error) or type(error).__name__)

    async def _pause(self) -> None:
        queue, tag = self._subscriber._queue_obj, self._subscriber._consumer_tag
        if queue is None or tag is None:
            return  # not started yet
        # Before the broker says so: aio-pika does not restore a consumer whose cancellation was asked for, whatever
        # comes of it, and nobody else would.
        self._is_paused = True
        await queue.cancel(tag)
        self._is_cancelled = True
        if self._usual:
            log.info("consumption_rests", queue=queue.name, reason=self._reason())
        else:
            log.warning("consumption_paused", queue=queue.name, reason=self._reason())

    async def _resume(self) -> None:
        queue = self._subscriber._queue_obj
        if queue is None:
            return
        self._subscriber._consumer_tag = await queue.consume(self._subscriber.consume)  # type: ignore[arg-type]  # as FastStream itself
        self._is_paused = self._is_cancelled = False
        log.info("consumption_resumed", queue=queue.name)
