"""Tickets; webhook receipts by event id as well as by message id."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tickets",
        sa.Column("ticket_hash", sa.LargeBinary(), nullable=False),
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("token_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("ticket_hash"),
    )
    op.create_index("tickets_age", "tickets", ["expires_at"])
    # Two message ids with one event id were two receipts so far; the first is the one that was answered with.
    op.execute(
        "DELETE FROM webhook_receipts later USING webhook_receipts earlier"
        " WHERE later.producer = earlier.producer AND later.event_id = earlier.event_id"
        " AND (later.received_at, later.message_id) > (earlier.received_at, earlier.message_id)"
    )
    op.drop_constraint("webhook_receipts_pkey", "webhook_receipts", type_="primary")
    op.create_primary_key("webhook_receipts_pkey", "webhook_receipts", ["producer", "event_id"])
    op.alter_column("webhook_receipts", "message_id", nullable=True)
    op.create_unique_constraint("webhook_receipts_message", "webhook_receipts", ["producer", "message_id"])
    op.add_column("webhook_receipts", sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("webhook_receipts", "claimed_until")
    op.execute("DELETE FROM webhook_receipts WHERE message_id IS NULL")
    op.drop_constraint("webhook_receipts_message", "webhook_receipts", type_="unique")
    op.alter_column("webhook_receipts", "message_id", nullable=False)
    op.drop_constraint("webhook_receipts_pkey", "webhook_receipts", type_="primary")
    op.create_primary_key("webhook_receipts_pkey", "webhook_receipts", ["producer", "message_id"])
    op.drop_table("tickets")
