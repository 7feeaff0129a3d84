"""The routes of Stagecast that the command calls."""

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import httpx
from pydantic import ValidationError

from cli.document import Document, Uploaded
from cli.failures import CommandFailed
from stagecast_client import AsyncEventStream, AsyncNotifier, Refused, StagecastError
from stagecast_client.answers import json_object, reaching, refusal
from stagecast_client.cursor import OnLost

DOCUMENTS = "/api/v1/documents"

ANSWER_SECONDS = 60.0
CHECK_SECONDS = 10.0


class Api:
    """One Stagecast at ``url``; all methods raise StagecastError."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.http = httpx.AsyncClient(base_url=_address(self.url), headers=headers, timeout=ANSWER_SECONDS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def upload(self, path: Path, force: bool, on_bytes: Callable[[int], None]) -> Uploaded:
        """Send a file; ``on_bytes`` hears how many bytes went out. Raises OSError for an unreadable file."""
        with _Counted(path, on_bytes) as file:
            parameters = {"force": "true"} if force else {}
            # The server decides by content, so the type sent is the one that claims nothing.
            part = (path.name, file, "application/octet-stream")
            response = await self._send("POST", DOCUMENTS, params=parameters, files={"file": part})
        answer = _object(response)
        return Uploaded(document=_document(answer), already=response.status_code == 200, answer=answer)

    async def document(self, document_id: str) -> Document:
        """Return one document as it is now."""
        return _document(_object(await self._send("GET", f"{DOCUMENTS}/{document_id}")))

    async def delete(self, document_id: str) -> None:
        """Remove a document with everything that was made of it."""
        await self._send("DELETE", f"{DOCUMENTS}/{document_id}")

    async def documents(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return a page of the list, as the API tells it."""
        return _object(await self._send("GET", DOCUMENTS, params=httpx.QueryParams(parameters)))

    async def described(self, document_id: str) -> dict[str, Any]:
        """Return one document, as the API tells it."""
        return _object(await self._send("GET", f"{DOCUMENTS}/{document_id}"))

    async def act(self, action: str, document_id: str) -> None:
        """Retry, cancel or delete one document."""
        if action == "delete":
            await self.delete(document_id)
        else:
            await self._send("POST", f"{DOCUMENTS}/{document_id}/{action}")

    async def act_on_all(self, action: str, chosen: Mapping[str, Any], *, dry_run: bool) -> dict[str, Any]:
        """Retry, cancel or delete what a filter chooses: ``matched``, and ``operationId`` unless counted alone."""
        parameters = {"dryRun": "true"} if dry_run else {}
        path = f"{DOCUMENTS}/{action}"
        return _object(await self._send("POST", path, json={"filter": dict(chosen)}, params=parameters))

    async def operation(self, operation_id: str) -> dict[str, Any]:
        """Return how far a bulk call has come."""
        return _object(await self._send("GET", f"/api/v1/operations/{operation_id}"))

    async def search(
        self, query: str, limit: int, documents: Sequence[str] = (), mode: str | None = None
    ) -> list[dict[str, Any]]:
        """Return the chunks that fit ``query``, best first; only of ``documents`` where some are given."""
        body: dict[str, Any] = {"query": query, "limit": limit}
        if mode:
            body["mode"] = mode
        if documents:
            body["documentIds"] = list(documents)
        items = _object(await self._send("POST", "/api/v1/search", json=body)).get("items")
        return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []

    async def notify(
        self, key: str, document_id: str, status: str, message: str, metadata: Mapping[str, Any] | None = None
    ) -> str | None:
        """Report a status by the webhook; return the event's id."""
        # Once: a person waits, and can try again.
        notifier = AsyncNotifier(
            self.url, key, http=self.http, sign=False, patience_seconds=0, raise_errors=True
        )
        return await notifier.send_document_processing_notification(document_id, status, message, metadata)

    async def pipeline(self) -> dict[str, Any]:
        """Return what waits and runs in each lane of each stage."""
        return _object(await self._send("GET", "/api/v1/pipeline"))

    def events(self, documents: Sequence[str] = (), on_lost: OnLost = lambda _, __: None) -> AsyncEventStream:
        """Return the event stream, of some documents where any are given; it raises if it never gets through.

        ``on_lost`` hears of each cut after that: the seconds until it is tried again, and why.
        """

        def lost(seconds: float, failure: StagecastError | None) -> None:
            if failure is not None and stream.position is None:
                raise failure
            on_lost(seconds, failure)

        stream = AsyncEventStream(self.url, http=self.http, on_lost=lost, document_id=documents)
        return stream

    async def check(self, path: str) -> None:
        """Raise unless ``path`` answers 2xx."""
        await self._send("GET", path, timeout=CHECK_SECONDS)

    async def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        with reaching(self.url):
            response = await self.http.request(method, path, **options)
        if not response.is_success:
            raise refusal(response)
        return response


def _address(url: str) -> httpx.URL:
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise CommandFailed(f"{url} is no address: {error}") from error
    if address.scheme not in {"http", "https"} or not address.host:
        raise CommandFailed(f"{url} is no address: it should look like http://127.0.0.1:3000")
    return address


def _object(response: httpx.Response) -> dict[str, Any]:
    answer = json_object(response)
    if not answer:
        raise Refused(response.status_code, f"{response.url} did not answer as Stagecast does")
    return answer


def _document(answer: dict[str, Any]) -> Document:
    try:
        return Document.model_validate(answer)
    except ValidationError as error:
        raise CommandFailed("The server describes a document in a way this command does not know") from error


class _Counted(io.FileIO):
    """A file that tells how much of it was read."""

    def __init__(self, path: Path, on_bytes: Callable[[int], None]) -> None:
        super().__init__(path)
        self._on_bytes = on_bytes

    def read(self, size: int | None = -1, /) -> bytes:
        content = super().read(-1 if size is None else size) or b""
        self._on_bytes(len(content))
        return content
