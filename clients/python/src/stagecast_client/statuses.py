"""What each notification says: status, a sentence for people, metadata as the contract names it."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Notification:
    """Arguments of ``send_document_processing_notification``."""

    status: str
    message: str
    metadata: dict[str, Any] = field(default_factory=dict)


def parsing_started(filename: str, file_type: str) -> Notification:
    """Parsing begins; ``file_type`` is a media type."""
    return Notification(
        "parsing_started", f"Parsing of {filename} has begun.", {"filename": filename, "fileType": file_type}
    )


def parsing_completed(filename: str, chunk_count: int) -> Notification:
    """Parsing gave that many chunks."""
    return Notification(
        "parsed",
        f"{filename} was parsed into {chunk_count} chunks.",
        {"filename": filename, "chunkCount": chunk_count},
    )


def embedding_started(filename: str) -> Notification:
    """Embedding begins."""
    return Notification("embedding", f"Embedding of {filename} has begun.", {"filename": filename})


def embedding_completed(filename: str, embedding_count: int) -> Notification:
    """All chunks have embeddings."""
    return Notification(
        "embedded",
        f"{filename} was embedded: {embedding_count} embeddings.",
        {"filename": filename, "embeddingCount": embedding_count},
    )


def processing_failed(filename: str, error: str, stage: str) -> Notification:
    """``stage`` (``upload``, ``parsing`` or ``embedding``) failed; ``error`` is a sentence for people."""
    metadata = {"filename": filename, "error": error, "stage": stage, "code": "internal", "retryable": False}
    return Notification("failed", f"Processing of {filename} failed: {error}", metadata)
