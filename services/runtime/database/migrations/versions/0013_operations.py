"""Operations, the bulk calls that are worked off in the background; indexes of what lists are filtered by.

The expressions are those of ``listed_columns`` as they were at this revision.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_BEGUN = "CASE WHEN status_attempt < attempt THEN"
_SORTED = {
    "updated": f"({_BEGUN} attempted_at ELSE updated_at END), document_id",
    "name": "left(coalesce(filename, ''), 200), document_id",
    "size": "coalesce(size, -1), document_id",
}
_FILTERED = {
    "status": f"({_BEGUN} 'parsing_started' ELSE status END), created_at, document_id",
    "type": "left(lower(file_type), 100), created_at, document_id",
    "ending": "reverse(right(lower(filename), 32)) text_pattern_ops",
}
_CODE = f"({_BEGUN} NULL ELSE left(error ->> 'code', 64) END), created_at, document_id"
_NAMES = [f"documents_{by}" for by in (*_SORTED, *_FILTERED, "code")]


def upgrade() -> None:
    for by, columns in {**_SORTED, **_FILTERED}.items():
        op.execute(f"CREATE INDEX documents_{by} ON documents ({columns})")
        op.execute(f"CREATE INDEX documents_{by}_of_owner ON documents (owner_id, {columns})")
    for name, columns in {"documents_code": _CODE, "documents_code_of_owner": f"owner_id, {_CODE}"}.items():
        op.execute(f"CREATE INDEX {name} ON documents ({columns}) WHERE error IS NOT NULL")
    # How frequent a part of a name is: taken for rare, a frequent one would be looked for in the whole table.
    op.execute("CREATE STATISTICS documents_lowered_name ON lower(filename) FROM documents")
    op.execute("ANALYZE documents")  # what is known of an index's expressions comes with it
    op.create_table(
        "operations",
        sa.Column("operation_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Text()),
        sa.Column("filter", JSONB(), nullable=False),
        sa.Column("matched", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("done", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("stepped_at", sa.DateTime(timezone=True)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("leased_by", sa.Text()),
        sa.Column("leased_until", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("operation_id"),
    )
    op.execute("CREATE INDEX operations_unfinished ON operations (stepped_at) WHERE ended_at IS NULL")
    op.create_table(
        "operation_items",
        sa.Column("operation_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("begun", sa.Boolean(), server_default="false", nullable=False),
        sa.PrimaryKeyConstraint("operation_id", "number"),
        sa.ForeignKeyConstraint(["operation_id"], ["operations.operation_id"], ondelete="CASCADE"),
    )
    op.execute("CREATE INDEX operation_items_begun ON operation_items (document_id) WHERE begun")


def downgrade() -> None:
    op.drop_table("operation_items")
    op.drop_table("operations")
    op.execute("DROP STATISTICS documents_lowered_name")
    for name in _NAMES:
        op.execute(f"DROP INDEX {name}, {name}_of_owner")
