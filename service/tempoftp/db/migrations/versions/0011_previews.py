"""Questions how much a source has and whether it fits, each kept for a day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tempoftp.db.models import UtcDateTime, identifier

revision = "previews"
down_revision = "run_totals"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; nobody has asked yet."""
    op.create_table(
        "previews",
        sa.Column("id", identifier(32), nullable=False),
        sa.Column("asker", identifier(128), nullable=False),
        sa.Column("ftp_host", identifier(64), nullable=False),
        sa.Column("source_key", identifier(64), nullable=False),
        sa.Column("item", sa.JSON(), nullable=False),
        sa.Column("request_id", identifier(64), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.Column("error_class", sa.String(32), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("lease_run_id", identifier(40), nullable=True),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("previews_source", "previews", ["ftp_host", "source_key"])
    op.create_index("previews_waiting", "previews", ["answered_at", "asked_at"])
    op.create_index("ix_previews_asked_at", "previews", ["asked_at"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("previews")
