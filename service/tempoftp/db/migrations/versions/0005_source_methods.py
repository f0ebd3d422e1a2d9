"""How the source of a share is delivered: local or not, by which method, by links, with checksums."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "source_methods"
down_revision = "wishes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; what is there was asked for without any of it."""
    with op.batch_alter_table("shares") as table:
        for name in ("local", "reuse", "checksums"):
            table.add_column(sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("method", sa.String(length=8), nullable=False, server_default="auto"))


def downgrade() -> None:
    """Drop them."""
    with op.batch_alter_table("shares") as table:
        for name in ("local", "reuse", "checksums", "method"):
            table.drop_column(name)
