"""Passages, in which words are looked for, and what is known of how frequent words are.

A parser of the last release that still runs stores attempts without passages (``terms_version`` 0), and the sweeper
makes them. Rows of passages are as large as they are: taken apart, each would be read from two places.
"""

import pgvector.sqlalchemy
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("attempts", sa.Column("language", sa.Text(), nullable=True))
    op.add_column("attempts", sa.Column("terms_version", sa.Integer(), server_default="0", nullable=False))
    op.create_index("attempts_terms_version", "attempts", ["terms_version"])
    op.create_table(
        "passages",
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("dimensions", ARRAY(sa.Integer()), nullable=False),
        sa.Column("weights", pgvector.sqlalchemy.SPARSEVEC(1_000_000_000), nullable=False),
        sa.PrimaryKeyConstraint("document_id", "attempt", "first"),
        sa.ForeignKeyConstraint(
            ["document_id", "attempt"], ["attempts.document_id", "attempts.attempt"], ondelete="CASCADE"
        ),
    )
    op.execute("ALTER TABLE passages SET (toast_tuple_target = 8160)")
    # What comes is put into the index by heaps: with those of the usual size somebody waits a seventh of a second.
    op.create_index(
        "passages_dimensions",
        "passages",
        ["dimensions"],
        postgresql_using="gin",
        postgresql_with={"gin_pending_list_limit": 1024},
    )
    op.execute("CREATE INDEX passages_language ON passages (language, coalesce(owner_id, ''))")
    op.create_table(
        "term_views",
        sa.Column("view", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("passage_count", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("dimensions", ARRAY(sa.Integer()), server_default="{}", nullable=False),
        sa.Column("frequencies", ARRAY(sa.Integer()), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("view"),
    )


def downgrade() -> None:
    op.drop_table("term_views")
    op.drop_table("passages")
    op.drop_index("attempts_terms_version", "attempts")
    op.drop_column("attempts", "terms_version")
    op.drop_column("attempts", "language")
