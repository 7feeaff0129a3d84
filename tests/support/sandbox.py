"""The parser's real sandbox, with the limits that a test wants."""

from collections.abc import Callable
from pathlib import Path

from services.parser.sandbox import FURTHER_SECONDS, Sandbox
from services.runtime.bundled_model import BUNDLED_MODEL

MEGABYTE = 1_048_576

Write = Callable[[bytes], Path]
"""Writes a document, and tells where."""


def sandbox(
    *,
    processes: int = 1,
    memory_mb: int = 1024,
    seconds: float = 60,
    stall_seconds: float = 30,
    stand_in_seconds: float = 15,
    further_seconds: float = FURTHER_SECONDS,
    recycled_after: int = 50,
    spare: int = 0,
) -> Sandbox:
    """Children that are replaced after so many documents."""
    return Sandbox(
        processes=processes,
        memory_bytes=memory_mb * MEGABYTE,
        timeout_seconds=seconds,
        stall_seconds=stall_seconds,
        stand_in_seconds=stand_in_seconds,
        further_seconds=further_seconds,
        documents_per_process=recycled_after,
        spare_processes=spare,
        embedding_model=BUNDLED_MODEL,
    )


async def ignore(_done: int, _count: int) -> None:
    """Progress that nobody waits for."""
