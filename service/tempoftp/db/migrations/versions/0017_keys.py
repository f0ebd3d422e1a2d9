"""A random nonce for the links of each share, and the tokens' own keys."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

from tempoftp.db.models import identifier

revision = "keys"
down_revision = "workers"
branch_labels = None
depends_on = None

PIECE = 1000
"""So many rows are filled at once."""


def upgrade() -> None:
    """Draw a nonce for every share, ended ones too. Links that were made before open nothing any more."""
    op.add_column("shares", sa.Column("link_nonce", identifier(32), nullable=False, server_default=""))
    shares = sa.table("shares", sa.column("id"), sa.column("link_nonce"))
    connection = op.get_bind()
    ids = connection.scalars(sa.select(shares.c.id)).all()
    update = sa.update(shares).where(shares.c.id == sa.bindparam("row"))
    update = update.values(link_nonce=sa.bindparam("drawn"))
    for start in range(0, len(ids), PIECE):
        drawn = [{"row": row, "drawn": secrets.token_urlsafe(16)} for row in ids[start : start + PIECE]]
        connection.execute(update, drawn)
    with op.batch_alter_table("shares") as table:
        table.alter_column(
            "link_nonce", existing_type=identifier(32), existing_nullable=False, server_default=None
        )
        table.drop_column("link_number")
    op.add_column("tokens", sa.Column("key", sa.Text(), nullable=True))


def downgrade() -> None:
    """Drop both. Every link counts as never revoked again."""
    op.drop_column("tokens", "key")
    op.add_column("shares", sa.Column("link_number", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("shares") as table:
        table.drop_column("link_nonce")
