"""Ended runs, counted by host, kind, outcome and duration, for `GET /metrics`."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tempoftp.db.models import identifier

revision = "run_totals"
down_revision = "notices"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; counting begins now."""
    op.create_table(
        "run_totals",
        sa.Column("ftp_host", identifier(64), nullable=False),
        sa.Column("kind", identifier(8), nullable=False),
        sa.Column("outcome", identifier(32), nullable=False),
        sa.Column("bucket", identifier(8), nullable=False),
        sa.Column("runs", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("shares", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("ftp_host", "kind", "outcome", "bucket"),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("run_totals")
