"""The workers that are there, so that a dead one is noticed although nothing waits for it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tempoftp.db.models import UtcDateTime, identifier

revision = "workers"
down_revision = "downloads_generation"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; every worker writes its own row."""
    op.create_table(
        "workers",
        sa.Column("name", identifier(64), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("workers")
