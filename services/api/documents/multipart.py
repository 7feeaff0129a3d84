"""The file that a form brings: taken while it arrives, measured, told by its content."""

import hashlib
from collections.abc import AsyncIterator, Iterator

from fastapi import Request
from starlette.requests import ClientDisconnect

from services.api.documents.form_data import FormParser, MalformedForm, PartEnd, PartHead
from services.api.refusals import Invalid, Malformed, TooLarge, Unsupported
from services.runtime.media_types import HEAD_BYTES, SUPPORTED, detect, spoken

FRAMING_BYTES = 64 * 1024
"""For boundaries, headers and other fields beside the file."""
MAX_FILENAME_CHARACTERS = 255


class InvalidUpload(Invalid):
    """A form that does not hold one whole file."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, errors=[{"field": "file", "message": sentence}])


class IncomingFile:
    """The field ``file`` of a request; its properties are known once ``body`` has been read to the end."""

    def __init__(self, request: Request, max_bytes: int) -> None:
        self._request = request
        self._max_bytes = max_bytes
        self._head: PartHead | None = None
        self._is_whole = False
        self._digest = hashlib.sha256()
        self.size = 0
        self.file_type = ""
        self._check_declared_size()
        self._parser = _parser_of(request)

    @property
    def sha256(self) -> str:
        """The SHA-256 of the bytes read so far, in hexadecimal."""
        return self._digest.hexdigest()

    @property
    def declared_size(self) -> int | None:
        """Bytes of the whole form as its head says; None where it comes in chunks."""
        declared = self._request.headers.get("content-length", "")
        return int(declared) if declared.isdigit() else None

    @property
    def filename(self) -> str:
        """The name that the client gave, without directories and control characters."""
        given = ((self._head and self._head.filename) or "document").replace("\\", "/").rsplit("/", 1)[-1]
        printable = "".join(character for character in given if character.isprintable()).strip()
        return printable[:MAX_FILENAME_CHARACTERS] or "document"

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the file's bytes; raises TooLarge, Unsupported or InvalidUpload as soon as that much is certain."""
        head = bytearray()
        async for data in self._file_data():
            self._count(data)
            if self.file_type:
                yield data
                continue
            head += data
            if len(head) >= HEAD_BYTES:
                self._detect_type(bytes(head))
                yield bytes(head)
        if self._head is None:
            raise InvalidUpload("The form has no field named file.")
        if not self._is_whole:
            raise InvalidUpload("The form ends in the middle of the file.")
        if self.size == 0:
            raise InvalidUpload("The file is empty.")
        if not self.file_type:
            self._detect_type(bytes(head))
            yield bytes(head)

    async def _file_data(self) -> AsyncIterator[bytes]:
        received = 0
        part: PartHead | None = None
        async for piece in self._pieces():
            received += len(piece)
            if received > self._max_bytes + FRAMING_BYTES:
                raise self._too_large()
            for event in self._parse(piece):
                if isinstance(event, PartHead):
                    part = event
                    self._begin(part)
                elif part is None or part is not self._head:
                    continue
                elif isinstance(event, PartEnd):
                    self._is_whole = True
                else:
                    yield event

    def _parse(self, piece: bytes) -> Iterator[PartHead | bytes | PartEnd]:
        try:
            yield from self._parser.feed(piece)
        except MalformedForm as error:
            raise InvalidUpload(str(error)) from error

    def _begin(self, part: PartHead) -> None:
        if part.name != "file":
            return
        if self._head is not None:
            raise InvalidUpload("The form has more than one field named file; upload them one by one.")
        self._head = part

    async def _pieces(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._request.stream():
                yield piece
        except ClientDisconnect as error:
            raise Malformed("The upload was cut off.") from error

    def _count(self, data: bytes) -> None:
        self.size += len(data)
        if self.size > self._max_bytes:
            raise self._too_large()
        self._digest.update(data)

    def _detect_type(self, head: bytes) -> None:
        self.file_type = detect(head, self.filename)
        if self.file_type not in SUPPORTED:
            raise Unsupported(
                f"The content is {self.file_type}, which can't be parsed. What is read: {spoken()}."
            )

    def _check_declared_size(self) -> None:
        if (self.declared_size or 0) > self._max_bytes + FRAMING_BYTES:
            raise self._too_large()

    def _too_large(self) -> TooLarge:
        return TooLarge(f"The file is larger than {self._max_bytes} bytes.")


def _parser_of(request: Request) -> FormParser:
    content_type = request.headers.get("content-type", "")
    if not content_type.lower().startswith("multipart/form-data") or "boundary=" not in content_type:
        raise Unsupported("A document is uploaded as multipart/form-data.")
    try:
        return FormParser(content_type)
    except MalformedForm as error:
        raise InvalidUpload(str(error)) from error
