"""The stages that a document goes through: all that differs from one stage to another is a row of this table.

Queues, dead letters, publishing, acknowledging, admission, projection, ``/asyncapi`` and ``make up`` follow.
"""

from dataclasses import dataclass

from contracts.commands import EmbedChunks, ParseDocument, StageCommand
from contracts.failures import FailureCode, Stage
from contracts.statuses import Status


@dataclass(frozen=True)
class StageSpec:
    """One stage."""

    name: str
    """In the names of its queues."""
    service: str
    """Its process, and the ``source`` of its events."""
    stage: str
    """As people are told it: in a failure, and in a document's times."""
    command: type[StageCommand]
    """Its command, whose docstring describes it in ``/asyncapi``."""
    statuses: tuple[Status, ...]
    """Those that documents have in it, in their order: the last one ends it. Empty for a part of another
    stage."""
    crash_code: FailureCode
    """The code of the failure of a document that meets a bug here."""
    crash_sentence: str
    next: str | None = None
    """The name of the stage that follows."""


STAGES: tuple[StageSpec, ...] = (
    StageSpec(
        name="parse",
        service="parser",
        stage=Stage.PARSING,
        command=ParseDocument,
        statuses=(Status.PARSING_STARTED, Status.PARSING, Status.PARSED),
        crash_code=FailureCode.PARSER_CRASHED,
        crash_sentence="The parser failed on the document; the reason is with its dead letter.",
        next="embed",
    ),
    StageSpec(
        name="embed",
        service="embedder",
        stage=Stage.EMBEDDING,
        command=EmbedChunks,
        statuses=(Status.EMBEDDING, Status.EMBEDDED),
        crash_code=FailureCode.EMBEDDER_CRASHED,
        crash_sentence="The embedder failed on the document; the reason is with its dead letter.",
    ),
)
"""In the order in which a document meets them. Read at each use: nothing keeps a copy."""


def first() -> StageSpec:
    """The stage that an attempt begins with."""
    return STAGES[0]


def named(name: str) -> StageSpec:
    """The stage of that name; raises KeyError."""
    return {spec.name: spec for spec in STAGES}[name]


def of_command(command: type[StageCommand]) -> StageSpec:
    """The stage that takes such commands; raises KeyError."""
    return {spec.command: spec for spec in STAGES}[command]


def of_status(status: Status) -> StageSpec | None:
    """The stage that a document with that status is in; None for ``failed``, which is of any."""
    return next((spec for spec in STAGES if status in spec.statuses), None)


def awaited_after(status: Status) -> StageSpec:
    """The stage that a document with that status is in, or the next one where the status has ended it."""
    spec = of_status(status) or first()
    has_ended = bool(spec.statuses) and status is spec.statuses[-1]
    return (following(spec) if has_ended else None) or spec


def following(spec: StageSpec) -> StageSpec | None:
    """The stage that comes after one, if any."""
    return named(spec.next) if spec.next else None
