"""Reports what becomes of documents; a report that fails never breaks the work that is reported on."""

import asyncio
import logging
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self, TypedDict, Unpack

import httpx

from stagecast_client import statuses
from stagecast_client.failures import NotDelivered
from stagecast_client.report import PATH, Credentials, Report, encode_report
from stagecast_client.statuses import Notification

PATIENCE_SECONDS = 30.0
ANSWER_SECONDS = 10.0

log = logging.getLogger("stagecast_client")


class Options(TypedDict, total=False):
    """How a notifier reports."""

    sign: bool
    """False shows the secret as ``X-Webhook-Key`` instead; True where left out."""
    owner_id: str | None
    """Whose documents are reported on, where a report does not say."""
    patience_seconds: float
    """How long a report is tried again; 30 where left out."""
    raise_errors: bool
    """True raises NotDelivered, False logs; False where left out."""


class _Reporting:
    """What both notifiers share."""

    def __init__(self, url: str, secret: str, options: Options) -> None:
        self._url = url.rstrip("/") + PATH
        self._credentials = Credentials(secret, options.get("sign", True))
        self._owner_id = options.get("owner_id")
        self._patience_seconds = options.get("patience_seconds", PATIENCE_SECONDS)
        self._raise_errors = options.get("raise_errors", False)

    def _report(
        self,
        document_id: str,
        status: str,
        message: str,
        metadata: Mapping[str, Any] | None,
        owner_id: str | None,
    ) -> Report:
        body = encode_report(document_id, status, message, metadata, owner_id or self._owner_id)
        return Report(body, self._credentials, time.monotonic() + self._patience_seconds)

    def _failed(self, document_id: str, error: Exception) -> None:
        """Log, or raise where that was asked for; what is raised is NotDelivered."""
        if self._raise_errors:
            if isinstance(error, NotDelivered):
                raise error
            raise NotDelivered(f"the report could not be made: {type(error).__name__}") from error
        log.warning("a report on %r was not delivered: %s", document_id, error)


class Notifier(_Reporting):
    """Reports synchronously; safe to use from several threads. Every method returns the event's id, or None."""

    def __init__(
        self, url: str, secret: str, *, http: httpx.Client | None = None, **options: Unpack[Options]
    ) -> None:
        """Report to the Stagecast at ``url`` (``http://127.0.0.1:3000``) with a producer's key as ``secret``.

        See Options for the rest.
        """
        super().__init__(url, secret, options)
        self._http = http or httpx.Client(timeout=ANSWER_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def notify_parsing_started(self, document_id: str, filename: str, file_type: str) -> str | None:
        """Report that parsing begins."""
        return self._notify(document_id, statuses.parsing_started(filename, file_type))

    def notify_parsing_completed(self, document_id: str, filename: str, chunk_count: int) -> str | None:
        """Report that parsing gave ``chunk_count`` chunks."""
        return self._notify(document_id, statuses.parsing_completed(filename, chunk_count))

    def notify_embedding_started(self, document_id: str, filename: str) -> str | None:
        """Report that embedding begins."""
        return self._notify(document_id, statuses.embedding_started(filename))

    def notify_embedding_completed(self, document_id: str, filename: str, embedding_count: int) -> str | None:
        """Report that the document is embedded."""
        return self._notify(document_id, statuses.embedding_completed(filename, embedding_count))

    def notify_processing_failed(self, document_id: str, filename: str, error: str, stage: str) -> str | None:
        """Report that ``stage`` (``upload``, ``parsing``, ``embedding``) failed."""
        return self._notify(document_id, statuses.processing_failed(filename, error, stage))

    def send_document_processing_notification(
        self,
        document_id: str,
        status: str,
        message: str,
        metadata: Mapping[str, Any] | None = None,
        *,
        owner_id: str | None = None,
    ) -> str | None:
        """Report any status; raises NotDelivered if that was asked for."""
        try:
            return self._deliver(self._report(document_id, status, message, metadata, owner_id))
        except Exception as error:  # whatever it is: the work that is reported on goes on
            self._failed(document_id, error)
        return None

    def _notify(self, document_id: str, said: Notification) -> str | None:
        return self.send_document_processing_notification(
            document_id, said.status, said.message, said.metadata
        )

    def _deliver(self, report: Report) -> str:
        while True:
            outcome: httpx.Response | httpx.TransportError
            try:
                outcome = self._http.post(self._url, content=report.body, headers=report.headers())
            except httpx.TransportError as error:
                outcome = error
            else:
                if (event_id := report.event_id(outcome)) is not None:
                    return event_id
            time.sleep(report.pause(outcome))


class AsyncNotifier(_Reporting):
    """As Notifier, with coroutines."""

    def __init__(
        self, url: str, secret: str, *, http: httpx.AsyncClient | None = None, **options: Unpack[Options]
    ) -> None:
        """See Notifier."""
        super().__init__(url, secret, options)
        self._http = http or httpx.AsyncClient(timeout=ANSWER_SECONDS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def notify_parsing_started(self, document_id: str, filename: str, file_type: str) -> str | None:
        """Report that parsing begins."""
        return await self._notify(document_id, statuses.parsing_started(filename, file_type))

    async def notify_parsing_completed(self, document_id: str, filename: str, chunk_count: int) -> str | None:
        """Report that parsing gave ``chunk_count`` chunks."""
        return await self._notify(document_id, statuses.parsing_completed(filename, chunk_count))

    async def notify_embedding_started(self, document_id: str, filename: str) -> str | None:
        """Report that embedding begins."""
        return await self._notify(document_id, statuses.embedding_started(filename))

    async def notify_embedding_completed(
        self, document_id: str, filename: str, embedding_count: int
    ) -> str | None:
        """Report that the document is embedded."""
        return await self._notify(document_id, statuses.embedding_completed(filename, embedding_count))

    async def notify_processing_failed(
        self, document_id: str, filename: str, error: str, stage: str
    ) -> str | None:
        """Report that ``stage`` (``upload``, ``parsing``, ``embedding``) failed."""
        return await self._notify(document_id, statuses.processing_failed(filename, error, stage))

    async def send_document_processing_notification(
        self,
        document_id: str,
        status: str,
        message: str,
        metadata: Mapping[str, Any] | None = None,
        *,
        owner_id: str | None = None,
    ) -> str | None:
        """Report any status; raises NotDelivered if that was asked for."""
        try:
            return await self._deliver(self._report(document_id, status, message, metadata, owner_id))
        except Exception as error:  # whatever it is: the work that is reported on goes on
            self._failed(document_id, error)
        return None

    async def _notify(self, document_id: str, said: Notification) -> str | None:
        return await self.send_document_processing_notification(
            document_id, said.status, said.message, said.metadata
        )

    async def _deliver(self, report: Report) -> str:
        while True:
            outcome: httpx.Response | httpx.TransportError
            try:
                outcome = await self._http.post(self._url, content=report.body, headers=report.headers())
            except httpx.TransportError as error:
                outcome = error
            else:
                if (event_id := report.event_id(outcome)) is not None:
                    return event_id
            await asyncio.sleep(report.pause(outcome))
