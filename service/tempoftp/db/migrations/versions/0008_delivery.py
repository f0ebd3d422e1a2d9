"""How a share was delivered, and where its checksums were computed, as the FTP host says."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "delivery"
down_revision = "downloads"
branch_labels = None
depends_on = None

_COLUMNS = ("delivered_by", "checksums_by")


def upgrade() -> None:
    """Add the columns; the next run of a share tells them."""
    with op.batch_alter_table("shares") as table:
        for name in _COLUMNS:
            table.add_column(sa.Column(name, sa.String(length=8), nullable=True))


def downgrade() -> None:
    """Drop them."""
    with op.batch_alter_table("shares") as table:
        for name in _COLUMNS:
            table.drop_column(name)
