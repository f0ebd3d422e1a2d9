"""Whether an operator said whose an account is that was there before tempoftp."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "adopted_accounts"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; nobody has said anything yet."""
    with op.batch_alter_table("accounts") as table:
        table.add_column(sa.Column("adopt", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    """Drop it."""
    with op.batch_alter_table("accounts") as table:
        table.drop_column("adopt")
