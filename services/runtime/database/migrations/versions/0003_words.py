"""An index of the words of chunks, by which search finds a sentence that is quoted."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE INDEX chunks_words ON chunks USING gin (to_tsvector('simple', text))")


def downgrade() -> None:
    op.execute("DROP INDEX chunks_words")
