"""Documents with their projection, attempts, chunks, embeddings, webhook receipts."""

import pgvector.sqlalchemy
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS vector")
    op.create_table(
        "documents",
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Text(), nullable=True),
        sa.Column("filename", sa.Text(), nullable=True),
        sa.Column("file_type", sa.Text(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="1", nullable=False),
        sa.Column("visible_attempt", sa.Integer(), nullable=True),
        sa.Column("commanded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("status_attempt", sa.Integer(), nullable=False),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.Column("page_count", sa.Integer(), nullable=True),
        sa.Column("chunk_count", sa.Integer(), nullable=True),
        sa.Column("embedded_count", sa.Integer(), nullable=True),
        sa.Column("error", postgresql.JSONB(), nullable=True),
        sa.Column("stages", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event", postgresql.JSONB(), nullable=True),
        sa.Column("event_position", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("document_id"),
    )
    op.create_index(
        "documents_content",
        "documents",
        [sa.literal_column("coalesce(owner_id, '')"), "sha256"],
        unique=True,
        postgresql_where=sa.text("sha256 IS NOT NULL AND deleted_at IS NULL"),
    )
    op.create_index(
        "documents_newest",
        "documents",
        [sa.literal_column("created_at DESC"), sa.literal_column("document_id DESC")],
        unique=False,
    )
    op.create_index(
        "documents_under_way",
        "documents",
        ["document_id"],
        unique=False,
        postgresql_where=sa.text("status NOT IN ('embedded', 'failed')"),
    )
    op.create_table(
        "projections",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "webhook_receipts",
        sa.Column("producer", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("event", postgresql.JSONB(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("producer", "message_id"),
    )
    op.create_index("webhook_receipts_age", "webhook_receipts", ["received_at"], unique=False)
    op.create_table(
        "attempts",
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("page_count", sa.Integer(), nullable=True),
        sa.Column("chunk_count", sa.Integer(), nullable=False),
        sa.Column("token_count", sa.Integer(), nullable=False),
        sa.Column("batch_chunks", sa.Integer(), nullable=False),
        sa.Column("batches", sa.Integer(), nullable=False),
        sa.Column("batches_done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("embedded_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("details", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("parsed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("embedding_started_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["document_id"], ["documents.document_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("document_id", "attempt"),
    )
    op.create_table(
        "chunks",
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("token_count", sa.Integer(), nullable=False),
        sa.Column("page_start", sa.Integer(), nullable=True),
        sa.Column("page_end", sa.Integer(), nullable=True),
        sa.Column("headings", postgresql.JSONB(), server_default="[]", nullable=False),
        sa.ForeignKeyConstraint(
            ["document_id", "attempt"], ["attempts.document_id", "attempts.attempt"], ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("document_id", "attempt", "index"),
    )
    op.create_table(
        "embedded_batches",
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("batch", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["document_id", "attempt"], ["attempts.document_id", "attempts.attempt"], ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("document_id", "attempt", "batch"),
    )
    op.create_table(
        "embeddings",
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("embedding", pgvector.sqlalchemy.Vector(), nullable=False),
        sa.ForeignKeyConstraint(
            ["document_id", "attempt", "index"],
            ["chunks.document_id", "chunks.attempt", "chunks.index"],
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("document_id", "attempt", "index"),
    )
    # ### end Alembic commands ###


def downgrade() -> None:
    for table in (
        "webhook_receipts",
        "projections",
        "embedded_batches",
        "embeddings",
        "chunks",
        "attempts",
        "documents",
    ):
        op.drop_table(table)
