"""Events are kept as they came: what JSON may carry and JSONB may not is no reason to lose one."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = ("documents", "webhook_receipts")


def upgrade() -> None:
    _change(postgresql.JSON())


def downgrade() -> None:
    _change(postgresql.JSONB())


def _change(kind: sa.types.TypeEngine[object]) -> None:
    for table in TABLES:
        op.alter_column(table, "event", type_=kind, postgresql_using=f"event::{kind.compile()}")
