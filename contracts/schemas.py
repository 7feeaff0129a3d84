"""Writes the JSON Schemas of all messages to ``contracts/schemas/``: ``python -m contracts.schemas``."""

import json
from pathlib import Path

from contracts.commands import EmbedChunks, EmbedQuery, ParseDocument, QueryEmbedding
from contracts.events import DocumentDeleted, OperationProgress, StatusEvent
from contracts.stream_events import stream_events_schema
from contracts.wire import WireModel

DIRECTORY = Path(__file__).parent / "schemas"

MESSAGES: tuple[type[WireModel], ...] = (
    StatusEvent,
    DocumentDeleted,
    OperationProgress,
    ParseDocument,
    EmbedChunks,
    EmbedQuery,
    QueryEmbedding,
)


def schema_files() -> dict[Path, str]:
    """The path and the content of each schema file, as it stands on the wire."""
    schemas = {
        message.__name__: {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            **message.model_json_schema(by_alias=True, mode="serialization"),
        }
        for message in MESSAGES
    } | {"StreamEvents": stream_events_schema()}
    return {
        DIRECTORY / f"{name}.json": json.dumps(schema, indent=2) + "\n" for name, schema in schemas.items()
    }


if __name__ == "__main__":
    DIRECTORY.mkdir(exist_ok=True)
    for path, content in schema_files().items():
        path.write_text(content)
