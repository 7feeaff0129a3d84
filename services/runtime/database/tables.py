"""The tables. ``docs/architecture.md`` lists which function writes which column, and a test holds it to the code.

``documents`` has two halves. The projected half (status and what follows from it) is what the log of events says,
and the projector alone writes it once there is a row. The other half (what was uploaded, which attempt is the
current one, how it ended) is what people and stages have decided, each under the row's lock. ``attempts``,
``chunks``, ``embeddings`` and ``embedded_batches`` are the stages' own work, keyed so that doing it twice changes
nothing. Vectors and what points to them: ``vector_tables``.
"""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSON, JSONB

metadata = MetaData()


def _moment(name: str, *, nullable: bool = True) -> Column[datetime]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


documents = Table(
    "documents",
    metadata,
    # What was uploaded, and what was decided.
    Column("document_id", Text, primary_key=True),
    Column("owner_id", Text),
    Column("filename", Text),
    Column("file_type", Text),
    Column("size", BigInteger),
    Column("sha256", Text),  # hex; null for a document that only an external producer reports on
    _moment("created_at", nullable=False),
    Column("attempt", Integer, nullable=False, server_default="1"),  # the current one; fences older work off
    Column("visible_attempt", Integer),  # whose embeddings search sees
    _moment("commanded_at"),  # null until the broker confirmed ParseDocument for the current attempt
    _moment("attempted_at", nullable=False),
    Column("priority", Text, nullable=False, server_default="normal"),  # as was asked for at the upload
    Column("lane", Text),  # of the current attempt's commands: first or bulk; null until it is decided
    _moment("waiting_since"),  # for its owner's turn, while ``commanded_at`` is null
    _moment("deleted_at"),
    Column("outcome", JSONB(none_as_null=True)),  # the terminal event of the current attempt, once decided
    _moment("outcome_published_at"),  # null until the broker confirmed the outcome
    Column("resend_count", Integer, nullable=False, server_default="0"),  # since nothing was heard
    _moment("resent_at"),
    # Projected from the log of events.
    Column("status", Text, nullable=False),
    Column("status_attempt", Integer, nullable=False),
    Column("message", Text, nullable=False, server_default=""),
    Column("page_count", Integer),
    Column("chunk_count", Integer),
    Column("embedded_count", Integer),
    Column("error", JSONB),
    Column("stages", JSONB, nullable=False, server_default="{}"),
    _moment("updated_at", nullable=False),
    Column("event", JSON),  # the newest status event, as on the wire; JSONB would refuse NUL
    Column("event_position", Text),  # its id in the log
    # One document per owner and content: the same bytes again are answered with the same document.
    Index(
        "documents_content",
        text("coalesce(owner_id, '')"),
        "sha256",
        unique=True,
        postgresql_where=text("sha256 IS NOT NULL AND deleted_at IS NULL"),
    ),
    Index(
        "documents_unpublished",
        "attempted_at",
        postgresql_where=text("sha256 IS NOT NULL AND outcome_published_at IS NULL"),
    ),
    # Who has a turn: of an owner and a lane those that wait, and those that the stages have in hand.
    Index(
        "documents_waiting",
        text("coalesce(owner_id, '')"),
        "lane",
        "waiting_since",
        postgresql_where=text(
            "waiting_since IS NOT NULL AND commanded_at IS NULL AND outcome IS NULL AND deleted_at IS NULL"
        ),
    ),
    Index(
        "documents_in_hand",
        "lane",
        text("coalesce(owner_id, '')"),
        postgresql_where=text(
            "commanded_at IS NOT NULL AND outcome IS NULL AND deleted_at IS NULL AND sha256 IS NOT NULL"
        ),
    ),
    Index("documents_of_owner", "owner_id", text("created_at DESC"), text("document_id DESC")),
    Index("documents_newest", text("created_at DESC"), text("document_id DESC")),
    Index(
        "documents_under_way", "document_id", postgresql_where=text("status NOT IN ('embedded', 'failed')")
    ),
)

IS_UPLOADED = documents.c.sha256.is_not(None)
"""Uploaded here; a document of which only external producers report has no bytes."""

IS_ALIVE = documents.c.deleted_at.is_(None)
"""Not deleted; the row of a deleted document stays until its bytes are gone and the deletion is published."""

document_owners = Table(
    "document_owners",
    metadata,
    # Of reported documents from their first report on, and of deleted ones.
    Column("document_id", Text, primary_key=True),
    Column("owner_id", Text, nullable=False),
    Column("noted_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index("document_owners_age", "noted_at"),
)

upload_reservations = Table(
    "upload_reservations",
    metadata,
    # Written before the object and removed with the row of the document, so that no object is forgotten.
    Column("document_id", Text, primary_key=True),
    Column("reserved_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index("upload_reservations_age", "reserved_at"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("document_id", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("page_count", Integer),
    Column("chunk_count", Integer, nullable=False),
    Column("token_count", Integer, nullable=False),
    Column("batch_chunks", Integer, nullable=False),
    Column("batches", Integer, nullable=False),
    Column("batches_done", Integer, nullable=False, server_default="0"),
    Column("embedded_count", Integer, nullable=False, server_default="0"),
    Column("details", JSONB, nullable=False, server_default="{}"),  # pagesFailed, title, author …
    _moment("started_at", nullable=False),
    Column("parsed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    _moment("embedding_started_at"),
    Column("language", Text),  # ISO 639-1; null where it is not sure
    Column("terms_version", Integer, nullable=False, server_default="0"),  # of its passages; 0: it has none
    PrimaryKeyConstraint("document_id", "attempt"),
    ForeignKeyConstraint(["document_id"], ["documents.document_id"], ondelete="CASCADE"),
    Index("attempts_terms_version", "terms_version"),
)

chunks = Table(
    "chunks",
    metadata,
    Column("document_id", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("index", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("context", Text, nullable=False, server_default=""),  # embedded before the text
    Column("token_count", Integer, nullable=False),
    Column("page_start", Integer),
    Column("page_end", Integer),
    Column("headings", JSONB, nullable=False, server_default="[]"),
    PrimaryKeyConstraint("document_id", "attempt", "index"),
    ForeignKeyConstraint(
        ["document_id", "attempt"], ["attempts.document_id", "attempts.attempt"], ondelete="CASCADE"
    ),
    # Of the last release, whose search looks for quotations; the next one drops it.
    Index("chunks_words", text("to_tsvector('simple', text)"), postgresql_using="gin"),
)

embedded_batches = Table(
    "embedded_batches",
    metadata,
    Column("document_id", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("batch", Integer, nullable=False),
    PrimaryKeyConstraint("document_id", "attempt", "batch"),
    ForeignKeyConstraint(
        ["document_id", "attempt"], ["attempts.document_id", "attempts.attempt"], ondelete="CASCADE"
    ),
)

projections = Table(
    "projections",
    metadata,
    Column("name", Text, primary_key=True),
    Column("position", Text, nullable=False),  # the id of the last event that was applied
    _moment("log_began_at"),  # when the log was found to be another one; null while it is the first
    Column("log_base", BigInteger, nullable=False, server_default="0"),  # the place of its offset 0
)

paces = Table(
    "paces",
    metadata,
    # How fast this system works, as was measured last: pages, chunks, chunks_per_page.
    Column("name", Text, primary_key=True),
    Column("value", Double, nullable=False),
    Column("noted_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

webhook_receipts = Table(
    "webhook_receipts",
    metadata,
    Column("producer", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("message_id", Text),  # webhook-id; null for a message that has only an eventId
    Column("event", JSON, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    _moment("claimed_until"),  # whoever publishes the event just now does so until then
    _moment("confirmed_at"),  # null until the broker confirmed the event
    PrimaryKeyConstraint("producer", "event_id"),
    UniqueConstraint("producer", "message_id", name="webhook_receipts_message"),
    Index("webhook_receipts_age", "received_at"),
    Index("webhook_receipts_event", "event_id"),
)

tickets = Table(
    "tickets",
    metadata,
    Column("ticket_hash", LargeBinary, primary_key=True),  # SHA-256; the ticket itself is kept nowhere
    Column("owner_id", Text, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    _moment("token_expires_at"),
    _moment("expires_at", nullable=False),
    Index("tickets_age", "expires_at"),
)
