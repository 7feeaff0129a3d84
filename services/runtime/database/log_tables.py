"""The archive of the log: its entries as streams send them, and which stretches of it are there without a gap."""

from sqlalchemy import BigInteger, Boolean, Column, Index, LargeBinary, Table, Text

from services.runtime.database.tables import metadata

log_entries = Table(
    "log_entries",
    metadata,
    # The log as streams send it. A place grows over all logs that ever were: ``log_base`` and the offset.
    Column("place", BigInteger, primary_key=True, autoincrement=False),
    Column("tag", Text, nullable=False),  # of the position
    Column("document_id", Text),  # null of what is no event
    Column("owner_id", Text),
    Column("status", Text),  # of what has none its type
    Column("source", Text),
    Column("file_type", Text),
    Column("filename", Text),
    Column("frame", LargeBinary, nullable=False),
    Index("log_entries_document", "document_id", "place"),
    Index("log_entries_owner", "owner_id", "place"),
    postgresql_partition_by="RANGE (place)",
)

log_spans = Table(
    "log_spans",
    metadata,
    # What of the log stands in ``log_entries`` without a gap, both ends included.
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    Column("reached", BigInteger, nullable=False),
    Column("reached_tag", Text, nullable=False),
    Column("is_from_beginning", Boolean, nullable=False),
)
