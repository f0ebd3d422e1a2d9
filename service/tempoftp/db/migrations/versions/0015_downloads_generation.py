"""The generation of the share whose downloads were counted: the id may belong to somebody else since."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "downloads_generation"
down_revision = "callers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column. The counts that are there are unknown until the host counts again, within minutes."""
    with op.batch_alter_table("downloads") as table:
        table.add_column(sa.Column("generation", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Drop it."""
    with op.batch_alter_table("downloads") as table:
        table.drop_column("generation")
