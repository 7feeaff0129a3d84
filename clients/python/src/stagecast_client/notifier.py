"""Report what becomes of documents; a report that fails never breaks the work that is reported on."""

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Mapping
from typing import Any, Generic, Self, TypedDict, TypeVar, Unpack

import httpx

from stagecast_client.answers import reaching
from stagecast_client.failures import NotDelivered, StagecastError
from stagecast_client.report import PATH, Credentials, Delivery, Report

PATIENCE_SECONDS = 30.0
ANSWER_SECONDS = 10.0

log = logging.getLogger("stagecast_client")

Http = TypeVar("Http", httpx.Client, httpx.AsyncClient)
EventId = TypeVar("EventId")


class Options(TypedDict, total=False):
    """The options of a notifier, each with a default."""

    sign: bool
    """False shows the secret as ``X-Webhook-Key`` instead; True where left out."""
    owner_id: str | None
    """The owner of the documents, where a report does not say; none where left out."""
    patience_seconds: float
    """Seconds for which a report is tried again; 30 where left out."""
    raise_errors: bool
    """True raises NotDelivered, False logs; False where left out."""


class _Notifier(ABC, Generic[Http, EventId]):
    """The part that both notifiers share: ``EventId`` is the id of an event, or a coroutine for it."""

    _client: type[Http]

    def __init__(
        self, url: str, secret: str, *, http: Http | None = None, **options: Unpack[Options]
    ) -> None:
        """Report to the Stagecast at ``url`` (``http://127.0.0.1:3000``) with a producer's key as ``secret``.

        See Options for the rest.
        """
        self._url = url.rstrip("/")
        self._http: Http = http or self._client(timeout=ANSWER_SECONDS)
        self._credentials = Credentials(secret, options.get("sign", True))
        self._owner_id = options.get("owner_id")
        self._patience_seconds = options.get("patience_seconds", PATIENCE_SECONDS)
        self._raise_errors = options.get("raise_errors", False)

    def send_document_processing_notification(
        self,
        document_id: str,
        status: str,
        message: str,
        metadata: Mapping[str, Any] | None = None,
        *,
        owner_id: str | None = None,
    ) -> EventId:
        """Report any status; raises NotDelivered if that was asked for."""
        return self._send(Report(document_id, status, message, metadata, owner_id or self._owner_id))

    def notify_parsing_started(self, document_id: str, filename: str, file_type: str) -> EventId:
        """Report that parsing begins; ``file_type`` is a media type."""
        message = f"Parsing of {filename} has begun."
        metadata = {"filename": filename, "fileType": file_type}
        return self.send_document_processing_notification(document_id, "parsing_started", message, metadata)

    def notify_parsing_completed(self, document_id: str, filename: str, chunk_count: int) -> EventId:
        """Report that parsing gave ``chunk_count`` chunks."""
        message = f"{filename} was parsed into {chunk_count} chunks."
        metadata = {"filename": filename, "chunkCount": chunk_count}
        return self.send_document_processing_notification(document_id, "parsed", message, metadata)

    def notify_embedding_started(self, document_id: str, filename: str) -> EventId:
        """Report that embedding begins."""
        message, metadata = f"Embedding of {filename} has begun.", {"filename": filename}
        return self.send_document_processing_notification(document_id, "embedding", message, metadata)

    def notify_embedding_completed(self, document_id: str, filename: str, embedding_count: int) -> EventId:
        """Report that the document is embedded."""
        message = f"{filename} was embedded: {embedding_count} embeddings."
        metadata = {"filename": filename, "embeddingCount": embedding_count}
        return self.send_document_processing_notification(document_id, "embedded", message, metadata)

    def notify_processing_failed(self, document_id: str, filename: str, error: str, stage: str) -> EventId:
        """Report that ``stage`` (``upload``, ``parsing``, ``embedding``) failed; ``error`` is for people."""
        message = f"Processing of {filename} failed: {error}"
        reason = {"filename": filename, "error": error, "stage": stage}
        metadata = {**reason, "code": "internal", "retryable": False}
        return self.send_document_processing_notification(document_id, "failed", message, metadata)

    @abstractmethod
    def _send(self, report: Report) -> EventId: ...

    def _delivery(self, report: Report) -> Delivery:
        return Delivery(report.encode(), self._credentials, time.monotonic() + self._patience_seconds)

    def _failed(self, document_id: str, error: Exception) -> None:
        """Log, or raise where that was asked for; what is raised is NotDelivered."""
        if self._raise_errors:
            if isinstance(error, NotDelivered):
                raise error
            raise NotDelivered(f"the report could not be made: {type(error).__name__}") from error
        log.warning("a report on %r was not delivered: %s", document_id, error)


class Notifier(_Notifier[httpx.Client, str | None]):
    """Report synchronously; safe to use from several threads. Every method returns the event's id, or None."""

    _client = httpx.Client

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _send(self, report: Report) -> str | None:
        try:
            return self._deliver(self._delivery(report))
        except Exception as error:  # whatever it is: the work that is reported on goes on
            self._failed(report.document_id, error)
        return None

    def _deliver(self, delivery: Delivery) -> str:
        while True:
            try:
                with reaching(self._url):
                    answer = self._http.post(
                        self._url + PATH, content=delivery.body, headers=delivery.headers()
                    )
                return delivery.event_id(answer)
            except StagecastError as error:
                seconds = delivery.pause(error)
            time.sleep(seconds)


class AsyncNotifier(_Notifier[httpx.AsyncClient, Coroutine[Any, Any, str | None]]):
    """As Notifier, with coroutines."""

    _client = httpx.AsyncClient

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _send(self, report: Report) -> str | None:
        try:
            return await self._deliver(self._delivery(report))
        except Exception as error:  # whatever it is: the work that is reported on goes on
            self._failed(report.document_id, error)
        return None

    async def _deliver(self, delivery: Delivery) -> str:
        while True:
            try:
                with reaching(self._url):
                    answer = await self._http.post(
                        self._url + PATH, content=delivery.body, headers=delivery.headers()
                    )
                return delivery.event_id(answer)
            except StagecastError as error:
                seconds = delivery.pause(error)
            await asyncio.sleep(seconds)
