"""The tables of bulk calls: an operation, and a row for each document that is still to be dealt with."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from services.runtime.database.tables import metadata

operations = Table(
    "operations",
    metadata,
    Column("operation_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("owner_id", Text),  # who asked; null for the one local user
    Column("filter", JSONB, nullable=False),
    Column("matched", BigInteger, nullable=False, server_default="0"),
    Column("done", BigInteger, nullable=False, server_default="0"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("stepped_at", DateTime(timezone=True)),
    Column("ended_at", DateTime(timezone=True)),
    Column("leased_by", Text),  # the replica that works on it
    Column("leased_until", DateTime(timezone=True)),
    Index("operations_unfinished", "stepped_at", postgresql_where=text("ended_at IS NULL")),
)

operation_items = Table(
    "operation_items",
    metadata,
    Column("operation_id", Text, nullable=False),
    Column("number", BigInteger, nullable=False),  # in the order in which they are dealt with
    Column("document_id", Text, nullable=False),
    Column("attempt", Integer, nullable=False),  # what was current at the call: a later one is not meant
    Column("begun", Boolean, nullable=False, server_default="false"),  # retried, and counted; not ended yet
    PrimaryKeyConstraint("operation_id", "number"),
    ForeignKeyConstraint(["operation_id"], ["operations.operation_id"], ondelete="CASCADE"),
    Index("operation_items_begun", "document_id", postgresql_where=text("begun")),
)
