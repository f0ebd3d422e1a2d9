"""Alembic's entry: runs over the connection that `db/schema.py` hands in."""

from __future__ import annotations

from alembic import context

from tempoftp.db.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
