"""Takes one file out of a multipart body while it arrives, without ever holding it whole."""

import hashlib
from collections.abc import AsyncIterator

from fastapi import Request
from starlette.requests import ClientDisconnect
from streaming_form_data import ParseFailedException, StreamingFormDataParser
from streaming_form_data.targets import BaseTarget

from services.api.http.problems import Problem
from services.runtime.media_types import HEAD_BYTES, SUPPORTED, detect

FRAMING_BYTES = 64 * 1024
"""What boundaries, headers and other fields may take beside the file."""
MAX_FILENAME_CHARACTERS = 255

MALFORMED = (ParseFailedException, ValueError, LookupError)
"""The parser hands headers to the standard library's, which knows more ways to object."""


class _FileTarget(BaseTarget):  # type: ignore[misc]  # of an untyped package
    """Collects what has arrived of the field ``file`` since the last look."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived = bytearray()
        self.begun = 0
        self.ended = 0

    def on_start(self) -> None:
        self.begun += 1

    def on_finish(self) -> None:
        self.ended += 1

    def on_data_received(self, chunk: bytes) -> None:
        self.arrived += chunk

    def take(self) -> bytes:
        taken = bytes(self.arrived)
        self.arrived.clear()
        return taken


class IncomingFile:
    """The field ``file`` of a request; its properties are known once ``body`` has been read to the end."""

    def __init__(self, request: Request, max_bytes: int) -> None:
        self._request = request
        self._max_bytes = max_bytes
        self._target = _FileTarget()
        self._digest = hashlib.sha256()
        self.size = 0
        self.file_type = ""
        self._check_announced_size()
        self._parser = _parser_of(request)
        self._parser.register("file", self._target)

    @property
    def sha256(self) -> str:
        """Of the bytes read so far, in hexadecimal."""
        return self._digest.hexdigest()

    @property
    def filename(self) -> str:
        """The name that the client gave, without directories and control characters."""
        given = (self._target.multipart_filename or "document").replace("\\", "/").rsplit("/", 1)[-1]
        printable = "".join(character for character in given if character.isprintable()).strip()
        return printable[:MAX_FILENAME_CHARACTERS] or "document"

    async def body(self) -> AsyncIterator[bytes]:
        """The file's bytes; raises Problem 413, 415 or 422 as soon as that much is certain."""
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
        if not self._target.begun:
            raise _invalid("The form has no field named file.")
        if not self._target.ended:
            raise _invalid("The form ends in the middle of the file.")
        if self.size == 0:
            raise _invalid("The file is empty.")
        if not self.file_type:
            self._detect_type(bytes(head))
            yield bytes(head)

    async def _file_data(self) -> AsyncIterator[bytes]:
        received = 0
        async for part in self._parts():
            received += len(part)
            if received > self._max_bytes + FRAMING_BYTES:
                raise self._too_large()
            try:
                self._parser.data_received(part)
            except MALFORMED as error:
                raise _invalid("The body is not well-formed multipart/form-data.") from error
            if self._target.begun > 1:
                raise _invalid("The form has more than one field named file; upload them one by one.")
            if data := self._target.take():
                yield data

    async def _parts(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._request.stream():
                yield part
        except ClientDisconnect as error:
            raise Problem(400, "The upload was cut off.") from error

    def _count(self, data: bytes) -> None:
        self.size += len(data)
        if self.size > self._max_bytes:
            raise self._too_large()
        self._digest.update(data)

    def _detect_type(self, head: bytes) -> None:
        self.file_type = detect(head, self.filename)
        if self.file_type not in SUPPORTED:
            raise Problem(415, f"The content is {self.file_type}, which can't be parsed.")

    def _check_announced_size(self) -> None:
        announced = self._request.headers.get("content-length", "")
        if announced.isdigit() and int(announced) > self._max_bytes + FRAMING_BYTES:
            raise self._too_large()

    def _too_large(self) -> Problem:
        return Problem(413, f"The file is larger than {self._max_bytes} bytes.")


def _parser_of(request: Request) -> StreamingFormDataParser:
    try:
        return StreamingFormDataParser(headers=_multipart_headers(request))
    except MALFORMED as error:
        raise _invalid("The boundary of the form can't be read.") from error


def _multipart_headers(request: Request) -> dict[str, str]:
    content_type = request.headers.get("content-type", "")
    if not content_type.lower().startswith("multipart/form-data") or "boundary=" not in content_type:
        raise Problem(415, "A document is uploaded as multipart/form-data.")
    return {"Content-Type": content_type}


def _invalid(sentence: str) -> Problem:
    return Problem(422, sentence, errors=[{"field": "file", "message": sentence}])
