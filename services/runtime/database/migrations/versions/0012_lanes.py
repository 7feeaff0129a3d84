"""The lane of a document's commands, the priority that was asked for, and the wait for an owner's turn.

What is under way keeps its place: it has no lane, and what is sent again of it goes to the queues of before. An
API of the last release writes none of these columns, and sends what waits for its turn at once.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("documents", sa.Column("priority", sa.Text(), server_default="normal", nullable=False))
    op.add_column("documents", sa.Column("lane", sa.Text(), nullable=True))
    op.add_column("documents", sa.Column("waiting_since", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        "CREATE INDEX documents_waiting ON documents (coalesce(owner_id, ''), lane, waiting_since) "
        "WHERE waiting_since IS NOT NULL AND commanded_at IS NULL AND outcome IS NULL AND deleted_at IS NULL"
    )
    op.execute(
        "CREATE INDEX documents_in_hand ON documents (lane, coalesce(owner_id, '')) "
        "WHERE commanded_at IS NOT NULL AND outcome IS NULL AND deleted_at IS NULL AND sha256 IS NOT NULL"
    )


def downgrade() -> None:
    op.drop_index("documents_in_hand", "documents")
    op.drop_index("documents_waiting", "documents")
    op.drop_column("documents", "waiting_since")
    op.drop_column("documents", "lane")
    op.drop_column("documents", "priority")
