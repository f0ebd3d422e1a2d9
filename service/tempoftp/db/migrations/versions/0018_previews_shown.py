"""Whether the answer of a preview was given to who asked: asking again then measures again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "previews_shown"
down_revision = "keys"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column. Previews live for a day."""
    with op.batch_alter_table("previews") as table:
        table.add_column(sa.Column("shown", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    """Drop it."""
    with op.batch_alter_table("previews") as table:
        table.drop_column("shown")
