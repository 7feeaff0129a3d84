"""The owner of a document outlives its row, and is there before it; ids of events are looked for by themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "document_owners",
        sa.Column("document_id", sa.Text, primary_key=True),
        sa.Column("owner_id", sa.Text, nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    )
    op.create_index("document_owners_age", "document_owners", ["noted_at"])
    op.create_index("webhook_receipts_event", "webhook_receipts", ["event_id"])


def downgrade() -> None:
    op.drop_index("webhook_receipts_event")
    op.drop_table("document_owners")
