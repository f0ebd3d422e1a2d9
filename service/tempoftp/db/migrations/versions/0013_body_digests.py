"""The digests of the body with which a share was requested, so that the same body again is recognised."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "body_digests"
down_revision = "phrases"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column. The shares that are there keep being compared by what their rows say."""
    with op.batch_alter_table("shares") as table:
        table.add_column(sa.Column("body_digests", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Drop it."""
    with op.batch_alter_table("shares") as table:
        table.drop_column("body_digests")
