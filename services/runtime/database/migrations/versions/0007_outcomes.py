"""Outcomes and resends by their names. The old names stay for a release, whose processes may still run.

A process of the last release that still runs reads and writes ``ending``, ``announced_at``, ``reminders`` and
``reminded_at``; a trigger keeps each pair alike, whichever of the two is written. The next release drops the old.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

PAIRS = {
    "ending": "outcome",
    "announced_at": "outcome_published_at",
    "reminders": "resend_count",
    "reminded_at": "resent_at",
}


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.add_column("documents", sa.Column("outcome", postgresql.JSONB(), nullable=True))
    op.add_column("documents", sa.Column("outcome_published_at", moment, nullable=True))
    op.add_column("documents", sa.Column("resend_count", sa.Integer(), server_default="0", nullable=False))
    op.add_column("documents", sa.Column("resent_at", moment, nullable=True))
    op.execute(f"UPDATE documents SET {', '.join(f'{new} = {old}' for old, new in PAIRS.items())}")  # noqa: S608 - ours
    op.create_index(
        "documents_unpublished",
        "documents",
        ["attempted_at"],
        postgresql_where=sa.text("sha256 IS NOT NULL AND outcome_published_at IS NULL"),
    )
    alike = "".join(
        f"IF NEW.{old} IS DISTINCT FROM OLD.{old} THEN NEW.{new} := NEW.{old};"
        f" ELSE NEW.{old} := NEW.{new}; END IF;\n"
        for old, new in PAIRS.items()
    )
    op.execute(
        f"CREATE FUNCTION documents_old_names() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN\n{alike}RETURN NEW; END $$"
    )
    written = ", ".join((*PAIRS, *PAIRS.values()))
    op.execute(
        f"CREATE TRIGGER documents_old_names BEFORE UPDATE OF {written} ON documents"
        " FOR EACH ROW EXECUTE FUNCTION documents_old_names()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER documents_old_names ON documents")
    op.execute("DROP FUNCTION documents_old_names()")
    op.drop_index("documents_unpublished", "documents")
    for column in PAIRS.values():
        op.drop_column("documents", column)
