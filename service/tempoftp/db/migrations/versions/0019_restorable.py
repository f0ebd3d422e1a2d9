"""Until when the data of an ended share can be restored."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tempoftp.db.models import UtcDateTime

revision = "restorable"
down_revision = "previews_shown"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("shares", sa.Column("restorable_until", UtcDateTime(), nullable=True))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("shares", "restorable_until")
