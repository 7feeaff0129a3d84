"""The ending of an attempt is decided once, in the database; uploads are reserved before their bytes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("documents", sa.Column("ending", postgresql.JSONB(), nullable=True))
    op.add_column("documents", sa.Column("announced_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("documents", sa.Column("reminders", sa.Integer(), server_default="0", nullable=False))
    op.add_column("documents", sa.Column("reminded_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        "UPDATE documents SET ending = event, announced_at = updated_at"
        " WHERE sha256 IS NOT NULL AND status IN ('embedded', 'failed') AND status_attempt = attempt"
    )
    op.create_index(
        "documents_unended",
        "documents",
        ["attempted_at"],
        postgresql_where=sa.text("sha256 IS NOT NULL AND announced_at IS NULL"),
    )
    op.create_table(
        "upload_reservations",
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("reserved_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("document_id"),
    )
    op.create_index("upload_reservations_age", "upload_reservations", ["reserved_at"])


def downgrade() -> None:
    op.drop_table("upload_reservations")
    op.drop_index("documents_unended", "documents")
    for column in ("reminded_at", "reminders", "announced_at", "ending"):
        op.drop_column("documents", column)
