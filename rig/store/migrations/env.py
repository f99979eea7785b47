"""Alembic's entry: runs on the connection that `rig.store.schema` hands over."""

from alembic import context

from rig.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
    transaction_per_migration=False,
)
context.run_migrations()
