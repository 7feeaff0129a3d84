"""A vector for each text, to which embeddings point; and what is embedded before a chunk's text.

A process of the last release that still runs writes embeddings with a vector of their own, and chunks without
context; both are read. Its search knows such vectors alone, so while it may run (``upgrade_overlap`` has a row) a
trigger gives one to our embeddings too. Afterwards the sweeper takes all of them over. What nobody points to any
more is noted by a trigger, which knows of every way in which an embedding goes: with its chunk, its attempt or its
document.
"""

import pgvector.sqlalchemy
import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "vectors",
        sa.Column("vector_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("text_hash", sa.LargeBinary(), nullable=False),
        sa.Column("said_hash", sa.LargeBinary(), nullable=True),
        sa.Column("embedding", pgvector.sqlalchemy.HALFVEC(), nullable=False),
        sa.PrimaryKeyConstraint("vector_id"),
        sa.UniqueConstraint("model", "text_hash", name="vectors_text"),
    )
    op.create_index(
        "vectors_said",
        "vectors",
        ["model", "said_hash"],
        postgresql_where=sa.text("said_hash IS NOT NULL"),
    )
    op.create_table(
        "unused_vectors",
        sa.Column("note_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("vector_id", sa.BigInteger(), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("note_id"),
    )
    op.add_column("chunks", sa.Column("context", sa.Text(), server_default="", nullable=False))
    op.add_column("embeddings", sa.Column("owner_id", sa.Text(), nullable=True))
    op.add_column("embeddings", sa.Column("vector_id", sa.BigInteger(), nullable=True))
    op.alter_column("embeddings", "embedding", nullable=True)
    op.create_foreign_key("embeddings_vector", "embeddings", "vectors", ["vector_id"], ["vector_id"])
    op.execute(
        "ALTER TABLE embeddings ADD CONSTRAINT embeddings_have_vectors"
        " CHECK (embedding IS NOT NULL OR vector_id IS NOT NULL) NOT VALID"
    )
    op.execute("CREATE INDEX embeddings_of_vector ON embeddings (vector_id, coalesce(owner_id, ''))")
    op.execute(
        "CREATE INDEX embeddings_of_last_release ON embeddings (document_id) WHERE embedding IS NOT NULL"
    )
    op.execute(
        "CREATE FUNCTION embeddings_note_unused() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO unused_vectors (vector_id) VALUES (OLD.vector_id); RETURN NULL; END $$"
    )
    op.execute(
        "CREATE TRIGGER embeddings_note_unused AFTER DELETE ON embeddings FOR EACH ROW"
        " WHEN (OLD.vector_id IS NOT NULL) EXECUTE FUNCTION embeddings_note_unused()"
    )
    _begin_overlap()


def _begin_overlap() -> None:
    op.create_table(
        "upgrade_overlap",
        sa.Column("began_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
    )
    # A system without documents has just been installed.
    op.execute("INSERT INTO upgrade_overlap SELECT now() WHERE EXISTS (SELECT FROM documents)")
    op.execute(
        "CREATE FUNCTION embeddings_of_both() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF EXISTS (SELECT FROM upgrade_overlap) THEN"
        " SELECT vectors.embedding::vector INTO NEW.embedding FROM vectors WHERE vectors.vector_id = NEW.vector_id;"
        " END IF; RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER embeddings_of_both BEFORE INSERT ON embeddings FOR EACH ROW"
        " WHEN (NEW.embedding IS NULL) EXECUTE FUNCTION embeddings_of_both()"
    )


def downgrade() -> None:
    for name in ("embeddings_note_unused", "embeddings_of_both"):
        op.execute(f"DROP TRIGGER {name} ON embeddings")
        op.execute(f"DROP FUNCTION {name}()")
    op.drop_table("upgrade_overlap")
    op.execute("ALTER TABLE embeddings DROP CONSTRAINT embeddings_have_vectors")
    op.execute(
        "UPDATE embeddings SET embedding = vectors.embedding::vector FROM vectors"
        " WHERE vectors.vector_id = embeddings.vector_id AND embeddings.embedding IS NULL"
    )
    op.drop_column("embeddings", "vector_id")
    op.drop_column("embeddings", "owner_id")
    op.drop_column("chunks", "context")
    op.alter_column("embeddings", "embedding", nullable=False)
    op.drop_table("unused_vectors")
    op.drop_table("vectors")
