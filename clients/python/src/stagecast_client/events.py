"""The event stream as one sequence that no lost connection interrupts."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Self

import httpx
from httpx_sse import EventSource

from stagecast_client.cursor import PATH, Cursor, Event, Filter, Token


class EventStream:
    """Iterate over it for every event, for ever; raises Refused where trying again is of no use.

    Filters, each one value or several: ``document_id``, ``status``, ``file_type``, ``source``.
    """

    def __init__(
        self,
        url: str,
        *,
        token: Token = None,
        position: str | None = None,
        http: httpx.Client | None = None,
        **filters: Filter,
    ) -> None:
        """Follow the Stagecast at ``url`` after ``position``, or from now on."""
        self._url = url.rstrip("/") + PATH
        self._http = http or httpx.Client()
        self._cursor = Cursor(token, position, filters)

    @property
    def position(self) -> str | None:
        """Where the stream is; another EventStream can go on there."""
        return self._cursor.position

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def __iter__(self) -> Iterator[Event]:
        while True:
            seconds: float | None = None
            with (
                suppress(httpx.TransportError),
                self._http.stream("GET", self._url, **self._cursor.request()) as response,
            ):
                seconds = self._cursor.check(response)
                if seconds is None:
                    for received in EventSource(response).iter_sse():
                        if event := self._cursor.take(received):
                            yield event
            time.sleep(self._cursor.pause() if seconds is None else seconds)


class AsyncEventStream:
    """As EventStream, for ``async for``."""

    def __init__(
        self,
        url: str,
        *,
        token: Token = None,
        position: str | None = None,
        http: httpx.AsyncClient | None = None,
        **filters: Filter,
    ) -> None:
        """See EventStream."""
        self._url = url.rstrip("/") + PATH
        self._http = http or httpx.AsyncClient()
        self._cursor = Cursor(token, position, filters)

    @property
    def position(self) -> str | None:
        """Where the stream is; another one can go on there."""
        return self._cursor.position

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            seconds: float | None = None
            with suppress(httpx.TransportError):
                async with self._http.stream("GET", self._url, **self._cursor.request()) as response:
                    seconds = self._cursor.check(response)
                    if seconds is None:
                        async for received in EventSource(response).aiter_sse():
                            if event := self._cursor.take(received):
                                yield event
            await asyncio.sleep(self._cursor.pause() if seconds is None else seconds)
