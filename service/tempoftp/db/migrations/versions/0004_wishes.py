"""Wishes about a share and its account, what of them the FTP host has confirmed, and who paused a host."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tempoftp.db.models import UtcDateTime

revision = "wishes"
down_revision = "tokens"
branch_labels = None
depends_on = None

ADDED = {
    "accounts": (
        "status",
        "blocked",
        "block_reason",
        "password_generation",
        "password_confirmed",
        "password_since",
    ),
    "shares": ("wanted", "block_reason", "wished_at", "confirmed_generation", "lifetime_confirmed"),
    "ftp_hosts": ("pause_reason", "paused_by", "paused_since"),
}


def upgrade() -> None:
    """Add them; a share that is delivered has what it was asked for with, an account that exists its password."""
    op.add_column("accounts", sa.Column("status", sa.String(16), nullable=True))
    op.add_column("accounts", sa.Column("blocked", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("accounts", sa.Column("block_reason", sa.Text(), nullable=True))
    for name in ("password_generation", "password_confirmed"):
        op.add_column("accounts", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    op.add_column("accounts", sa.Column("password_since", UtcDateTime(), nullable=True))
    op.add_column("shares", sa.Column("wanted", sa.String(8), nullable=False, server_default="present"))
    op.add_column("shares", sa.Column("block_reason", sa.Text(), nullable=True))
    # Filled below for every row that is there; a default of another kind than a constant SQLite does not take.
    op.add_column(
        "shares", sa.Column("wished_at", UtcDateTime(), nullable=False, server_default="2026-01-01 00:00:00")
    )
    op.add_column(
        "shares", sa.Column("confirmed_generation", sa.Integer(), nullable=False, server_default="0")
    )
    op.add_column("shares", sa.Column("lifetime_confirmed", sa.Integer(), nullable=True))
    op.add_column("ftp_hosts", sa.Column("pause_reason", sa.Text(), nullable=True))
    op.add_column("ftp_hosts", sa.Column("paused_by", sa.String(254), nullable=True))
    op.add_column("ftp_hosts", sa.Column("paused_since", UtcDateTime(), nullable=True))

    op.execute("UPDATE shares SET wished_at = created_at")
    op.execute("UPDATE shares SET wanted = 'absent' WHERE state IN ('eliminando', 'eliminado')")
    op.execute(
        "UPDATE shares SET confirmed_generation = generation, lifetime_confirmed = lifetime_days "
        "WHERE state = 'listo'"
    )
    op.execute("UPDATE accounts SET password_generation = 1 WHERE token IS NOT NULL")
    op.execute(
        "UPDATE accounts SET password_confirmed = password_generation, status = 'present' "
        "WHERE exists_since IS NOT NULL"
    )


def downgrade() -> None:
    """Drop them."""
    for table, columns in ADDED.items():
        for column in columns:
            op.drop_column(table, column)
