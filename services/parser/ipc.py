"""The frames between the sandbox and its children: JSON with its length before it, over pipes.

JSON and checked, never pickled: a child has run hostile bytes, and is no longer trusted.
"""

import struct
from typing import Annotated, BinaryIO, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from contracts.failures import FailureCode
from services.lifecycle.chunk import Chunk
from services.parser.formats.reading import PdfEngineName
from services.parser.formats.swallowed_errors import MAX_SWALLOWED, SwallowedError

LENGTH = struct.Struct(">I")

MAX_FRAME_BYTES = 16_777_216
"""Far more than an honest child sends at once."""

CHUNKS_PER_FRAME = 128
"""A large document goes in parts, so that the service's event loop is never long in decoding one."""


class _Frame(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Confinement(_Frame):
    """The limits that a child lives under; its first argument."""

    parent: int
    memory_bytes: int
    embedding_model: str
    niceness: int = 0


class Task(_Frame):
    """A file to parse, and the name that it was uploaded under.

    ``stand_in_seconds`` is what a call of the engine that stands in may take; all of them together when
    ``is_careful``, which is a further try. Of a PDF, ``avoided_page`` is not read by the first engine, and what
    comes after ``last_page`` not at all; both count from 1.
    """

    path: str
    media_type: str
    filename: str
    pdf_engine: PdfEngineName
    stand_in_seconds: float
    is_careful: bool = False
    avoided_page: int | None = None
    last_page: int | None = None


class Ready(_Frame):
    """The child has loaded what it needs."""

    kind: Literal["ready"] = "ready"


class Progress(_Frame):
    """Pages are done; none yet when the file has just been opened."""

    kind: Literal["progress"] = "progress"
    pages_done: int
    page_count: int


class Step(_Frame):
    """What was read is being cut into chunks, and that gets on."""

    kind: Literal["step"] = "step"


class Chunks(_Frame):
    """The next chunks of the document."""

    kind: Literal["chunks"] = "chunks"
    chunks: list[Chunk]


class _Last(_Frame):
    swallowed: tuple[SwallowedError, ...] = Field(default=(), max_length=MAX_SWALLOWED)


class Parsed(_Last):
    """The document is done; its chunks were sent."""

    kind: Literal["parsed"] = "parsed"
    page_count: int | None
    pages_failed: tuple[int, ...]
    pages_garbled: tuple[int, ...] = ()
    metadata: dict[str, str]


class Failed(_Last):
    """The document can't be parsed; ``detail`` is for the log."""

    kind: Literal["failed"] = "failed"
    code: FailureCode
    message: str
    detail: str = ""


OUT_OF_MEMORY = Failed(
    code=FailureCode.PARSE_MEMORY, message="Parsing the document took more memory than is allowed."
)
"""Made in advance: there is no memory for it when it is needed."""

Answer = Annotated[Ready | Progress | Step | Chunks | Parsed | Failed, Field(discriminator="kind")]

Frame = Task | Answer

ANSWERS: TypeAdapter[Answer] = TypeAdapter(Answer)


def encode(frame: Frame) -> bytes:
    """Write a frame as it goes over a pipe."""
    body = frame.model_dump_json().encode()
    return LENGTH.pack(len(body)) + body


def read_task(pipe: BinaryIO) -> Task | None:
    """Wait for the next task; None when the other side has closed the pipe."""
    length = pipe.read(LENGTH.size)
    if len(length) < LENGTH.size:
        return None
    return Task.model_validate_json(pipe.read(LENGTH.unpack(length)[0]))
