"""Run by Alembic, for each upgrade, on the connection that ``treetap.store.migration`` opened."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
