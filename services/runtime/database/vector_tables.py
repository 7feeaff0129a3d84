"""The tables of vectors: a row of ``vectors`` belongs to a text, and all chunks that say the same point to it."""

from pgvector.sqlalchemy import HALFVEC, Vector
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)

from services.runtime.database.tables import metadata

vectors = Table(
    "vectors",
    metadata,
    Column("vector_id", BigInteger, Identity(always=True), primary_key=True),
    Column("model", Text, nullable=False),
    Column("text_hash", LargeBinary, nullable=False),  # SHA-256 of what was embedded
    Column("said_hash", LargeBinary),  # of the chunk's text alone, where it was embedded in a context
    Column("embedding", HALFVEC(), nullable=False),  # unit length; its dimensions are the model's
    UniqueConstraint("model", "text_hash", name="vectors_text"),
    Index("vectors_said", "model", "said_hash", postgresql_where=text("said_hash IS NOT NULL")),
)

unused_vectors = Table(
    "unused_vectors",
    metadata,
    # Written by a trigger when an embedding goes, several times for a vector that had several; it may have others.
    Column("note_id", BigInteger, Identity(always=True), primary_key=True),
    Column("vector_id", BigInteger, nullable=False),
    Column("noted_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

embeddings = Table(
    "embeddings",
    metadata,
    Column("document_id", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("index", Integer, nullable=False),
    Column("model", Text, nullable=False),
    Column("owner_id", Text),  # the document's
    Column("vector_id", BigInteger, ForeignKey("vectors.vector_id", name="embeddings_vector")),
    # Of the last release, until it is taken over; ours has it too while upgrade_overlap has a row, by a trigger.
    Column("embedding", Vector()),
    PrimaryKeyConstraint("document_id", "attempt", "index"),
    ForeignKeyConstraint(
        ["document_id", "attempt", "index"],
        ["chunks.document_id", "chunks.attempt", "chunks.index"],
        ondelete="CASCADE",
    ),
    CheckConstraint("embedding IS NOT NULL OR vector_id IS NOT NULL", name="embeddings_have_vectors"),
    Index("embeddings_of_vector", "vector_id", text("coalesce(owner_id, '')")),
    Index("embeddings_of_last_release", "document_id", postgresql_where=text("embedding IS NOT NULL")),
)

upgrade_overlap = Table(
    "upgrade_overlap",
    metadata,
    # A row while processes of the last release may run beside ours and read what both have written.
    Column("began_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
