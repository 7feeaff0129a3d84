"""The event stream as one sequence that no lost connection interrupts."""

import asyncio
import time
from collections.abc import AsyncGenerator, Generator
from typing import Any, Generic, Self, TypeVar

import httpx
from httpx_sse import EventSource

from stagecast_client.answers import reaching
from stagecast_client.cursor import PATH, Cursor, Event, Filter, OnLost, Token
from stagecast_client.failures import StagecastError

Http = TypeVar("Http", httpx.Client, httpx.AsyncClient)


class _Stream(Generic[Http]):
    """The part that both streams share."""

    _client: type[Http]

    def __init__(
        self,
        url: str,
        *,
        token: Token = None,
        position: str | None = None,
        http: Http | None = None,
        on_lost: OnLost = lambda _, __: None,
        **filters: Filter,
    ) -> None:
        """Follow the Stagecast at ``url`` after ``position``, or from now on.

        ``on_lost`` hears of each connection that ended or was not made: the seconds until the next one, and
        why, or None where the server just ended it. What it raises ends the stream.
        """
        self._url = url.rstrip("/")
        self._http: Http = http or self._client()
        self._cursor = Cursor(token, position, filters, on_lost)

    @property
    def position(self) -> str | None:
        """The place of the stream, None before the first ``connected``; another stream can go on there."""
        return self._cursor.position

    def _request(self) -> dict[str, Any]:
        return {"method": "GET", "url": self._url + PATH, **self._cursor.request()}


class EventStream(_Stream[httpx.Client]):
    """Iterate over it for every event, for ever; raises what does not pass, Refused or Unreachable.

    Filters, each one value or several: ``document_id``, ``status``, ``file_type``, ``source``.
    """

    _client = httpx.Client

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def __iter__(self) -> Generator[Event]:
        while True:
            failure: StagecastError | None = None
            try:
                with reaching(self._url), self._http.stream(**self._request()) as response:
                    if not response.is_success:
                        response.read()
                    self._cursor.check(response)
                    yield from filter(None, map(self._cursor.take, EventSource(response).iter_sse()))
            except StagecastError as error:
                failure = error
            time.sleep(self._cursor.pause(failure))


class AsyncEventStream(_Stream[httpx.AsyncClient]):
    """As EventStream, for ``async for``."""

    _client = httpx.AsyncClient

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def __aiter__(self) -> AsyncGenerator[Event]:
        while True:
            failure: StagecastError | None = None
            try:
                with reaching(self._url):
                    async with self._http.stream(**self._request()) as response:
                        if not response.is_success:
                            await response.aread()
                        self._cursor.check(response)
                        async for received in EventSource(response).aiter_sse():
                            if event := self._cursor.take(received):
                                yield event
            except StagecastError as error:
                failure = error
            await asyncio.sleep(self._cursor.pause(failure))
