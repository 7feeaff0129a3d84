"""The routes of Stagecast that the command calls."""

import io
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic import ValidationError

from cli.document import Document, Uploaded
from cli.failures import CommandFailed, Refused, Unreachable, refuse_errors

DOCUMENTS = "/api/v1/documents"
WEBHOOK = "/api/v1/events/webhook/document-processing"

ANSWER_SECONDS = 60.0
CHECK_SECONDS = 10.0


class Api:
    """One Stagecast at ``url``; all methods raise Unreachable or Refused."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.http = httpx.AsyncClient(base_url=_address(self.url), headers=headers, timeout=ANSWER_SECONDS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
        """One document as it is now."""
        return _document(_object(await self._send("GET", f"{DOCUMENTS}/{document_id}")))

    async def delete(self, document_id: str) -> None:
        """Remove a document with everything that was made of it."""
        await self._send("DELETE", f"{DOCUMENTS}/{document_id}")

    async def search(self, query: str, limit: int, documents: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Chunks nearest to ``query``, best first; only of ``documents`` where some are given."""
        body: dict[str, Any] = {"query": query, "limit": limit}
        if documents:
            body["documentIds"] = list(documents)
        items = _object(await self._send("POST", "/api/v1/search", json=body)).get("items")
        return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []

    async def notify(self, key: str, event: dict[str, Any]) -> dict[str, Any]:
        """Report a status by the webhook; returns its answer."""
        return _object(await self._send("POST", WEBHOOK, json=event, headers={"X-Webhook-Key": key}))

    async def check(self, path: str) -> None:
        """Raise unless ``path`` answers 2xx."""
        await self._send("GET", path, timeout=CHECK_SECONDS)

    async def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        async with reaching(self.url):
            response = await self.http.request(method, path, **options)
        await refuse_errors(response)
        return response


@asynccontextmanager
async def reaching(url: str) -> AsyncIterator[None]:
    """Turn whatever kept an answer from coming into Unreachable."""
    try:
        yield
    except (httpx.RequestError, httpx.InvalidURL) as error:
        raise Unreachable(url, error) from error


def _address(url: str) -> httpx.URL:
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise CommandFailed(f"{url} is no address: {error}") from error
    if address.scheme not in {"http", "https"} or not address.host:
        raise CommandFailed(f"{url} is no address: it should look like http://127.0.0.1:3000")
    return address


def _object(response: httpx.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
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
