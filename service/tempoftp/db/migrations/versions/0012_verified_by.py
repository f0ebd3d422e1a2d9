"""What a copy was compared by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "verified_by"
down_revision = "previews"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; a share that was delivered before keeps null."""
    with op.batch_alter_table("shares") as table:
        table.add_column(sa.Column("verified_by", sa.String(length=8), nullable=True))


def downgrade() -> None:
    """Drop it."""
    with op.batch_alter_table("shares") as table:
        table.drop_column("verified_by")
