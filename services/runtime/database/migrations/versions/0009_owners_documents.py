"""An owner's documents, newest first: what an owner may be shown is found without looking at others'."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE INDEX documents_of_owner ON documents (owner_id, created_at DESC, document_id DESC)")


def downgrade() -> None:
    op.execute("DROP INDEX documents_of_owner")
