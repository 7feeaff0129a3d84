"""The moment at which the log of events was found to be another one: what was lost with it is sent again."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("projections", sa.Column("log_began_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("projections", "log_began_at")
