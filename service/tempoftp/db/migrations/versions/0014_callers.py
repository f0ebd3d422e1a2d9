"""Rows to lock while somebody's shares are counted, and an index for counting what a token asked for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tempoftp.db.models import identifier

revision = "callers"
down_revision = "body_digests"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, which fills by itself."""
    op.create_table(
        "callers", sa.Column("name", identifier(254), nullable=False), sa.PrimaryKeyConstraint("name")
    )
    op.create_index("shares_author", "shares", ["author", "state"])


def downgrade() -> None:
    """Drop both."""
    op.drop_index("shares_author", "shares")
    op.drop_table("callers")
