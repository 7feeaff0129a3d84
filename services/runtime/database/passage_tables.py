"""The tables in which words are looked for: passages, and how frequent words are in them."""

from pgvector.sqlalchemy import SPARSEVEC
from sqlalchemy import (
    BigInteger,
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
from sqlalchemy.dialects.postgresql import ARRAY

from services.runtime.database.tables import metadata

passages = Table(
    "passages",
    metadata,
    # Neighbouring chunks, over which words are counted; stored with the chunks.
    Column("document_id", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("first", Integer, nullable=False),  # index of a chunk
    Column("last", Integer, nullable=False),
    Column("owner_id", Text),  # the document's
    Column("language", Text),  # the attempt's
    Column(
        "dimensions", ARRAY(Integer), nullable=False
    ),  # of the weights that are not 0; the owner's below 0
    Column("weights", SPARSEVEC(1_000_000_000), nullable=False),  # of BM25; the idf is the query's
    PrimaryKeyConstraint("document_id", "attempt", "first"),
    ForeignKeyConstraint(
        ["document_id", "attempt"], ["attempts.document_id", "attempts.attempt"], ondelete="CASCADE"
    ),
    Index(
        "passages_dimensions",
        "dimensions",
        postgresql_using="gin",
        postgresql_with={"gin_pending_list_limit": 1024},  # kB
    ),
    Index("passages_language", "language", text("coalesce(owner_id, '')")),
)

term_views = Table(
    "term_views",
    metadata,
    # What those who may see many passages find in them: how many have each of the words that many have.
    Column("view", Text, primary_key=True),  # whose: services/api/search/term_views.py
    Column("asked_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("counted_at", DateTime(timezone=True)),
    Column("passage_count", BigInteger, nullable=False, server_default="0"),
    Column("dimensions", ARRAY(Integer), nullable=False, server_default="{}"),
    Column("frequencies", ARRAY(Integer), nullable=False, server_default="{}"),
)
