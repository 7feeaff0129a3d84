"""Alembic's entry: migrations run on the connection that ``services.runtime.database.migrate`` has locked."""

from alembic import context

from services.runtime.database.vector_tables import vectors

context.configure(connection=context.config.attributes["connection"], target_metadata=vectors.metadata)
with context.begin_transaction():
    context.run_migrations()
