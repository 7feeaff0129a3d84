"""The log's entries as they go out to browsers, to be read from far back; filled in the background.

Partitioned by ``place``, so that what the log has dropped goes without a DELETE. An API of the last release that
still projects leaves a gap behind the last span, which is filled like the rest.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("projections", sa.Column("log_base", sa.BigInteger(), server_default="0", nullable=False))
    op.create_table(
        "log_entries",
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("document_id", sa.Text(), nullable=True),
        sa.Column("owner_id", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("file_type", sa.Text(), nullable=True),
        sa.Column("filename", sa.Text(), nullable=True),
        sa.Column("frame", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("place"),
        postgresql_partition_by="RANGE (place)",
    )
    op.create_index("log_entries_document", "log_entries", ["document_id", "place"])
    op.create_index("log_entries_owner", "log_entries", ["owner_id", "place"])
    op.create_table(
        "log_spans",
        sa.Column("first", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("reached", sa.BigInteger(), nullable=False),
        sa.Column("reached_tag", sa.Text(), nullable=False),
        sa.Column("is_from_beginning", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("first"),
    )


def downgrade() -> None:
    op.drop_table("log_spans")
    op.drop_table("log_entries")
    op.drop_column("projections", "log_base")
