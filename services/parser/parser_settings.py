"""The settings of the parser."""

from typing import Literal

from pydantic import Field

from services.runtime.process.worker_settings import WorkerSettings


class ParserSettings(WorkerSettings):
    """The documents in hand at a time, the limits of one of them, and the size of embedding commands."""

    parser_health_port: int = Field(default=3001, ge=0, le=65535)
    pdf_engine: Literal["auto", "pypdf", "pdfium"] = "auto"
    parse_concurrency: int = Field(default=2, ge=1, le=64)
    parse_spare_slots: int = Field(default=2, ge=0, le=64)
    """Documents in hand beyond that, one for each that did not get on for a second."""
    parse_timeout_seconds: float = Field(default=600, gt=0)
    parse_stall_seconds: float = Field(default=30, gt=0)
    parse_stand_in_seconds: float = Field(default=15, gt=0)
    parse_memory_bytes: int = Field(default=2_147_483_648, ge=268_435_456)
    embed_batch_chunks: int = Field(default=32, ge=1, le=1024)
    large_pages: int = Field(default=100, ge=1)
    """A document of more pages is bulk from here on, and so is one of more chunks."""
    large_chunks: int = Field(default=256, ge=1)
