"""Notices with their deliveries, the recipient's link, and requests for more days."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tempoftp.db.models import UtcDateTime, identifier

revision = "notices"
down_revision = "delivery"
branch_labels = None
depends_on = None

_LINK_COLUMNS = {"asked_generation": "1", "link_number": "0"}
_TABLES = ("extension_requests", "notice_deliveries", "notices")


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False)


def upgrade() -> None:
    """Make the tables and the columns. What happened before is told to nobody."""
    for name, default in _LINK_COLUMNS.items():
        op.add_column("shares", sa.Column(name, sa.Integer(), nullable=False, server_default=default))
    op.execute(
        "UPDATE shares SET asked_generation = COALESCE((SELECT MAX(history.generation) FROM history "
        "WHERE history.share_id = shares.id AND history.to_state = 'recibido' "
        "AND (history.from_state IS NULL OR history.from_state IN ('expirado', 'eliminado'))), 1)"
    )
    op.create_table(
        "notices",
        _number("number"),
        sa.Column("uid", identifier(32), nullable=False),
        sa.Column("share_id", identifier(64), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("occasion", identifier(40), nullable=False),
        sa.Column("email", identifier(254), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("spread_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["share_id"], ["shares.id"]),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("uid"),
        sa.UniqueConstraint("share_id", "generation", "kind", "occasion", name="notices_once"),
    )
    op.create_index("notices_unspread", "notices", ["spread_at"], unique=False)
    op.create_table(
        "notice_deliveries",
        _number("number"),
        _number("notice_number"),
        sa.Column("channel", identifier(64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("give_up_at", UtcDateTime(), nullable=False),
        sa.Column("lease_id", identifier(40), nullable=True),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["notice_number"], ["notices.number"]),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("notice_number", "channel", name="notice_deliveries_once"),
    )
    op.create_index("notice_deliveries_due", "notice_deliveries", ["channel", "due_at"], unique=False)
    op.create_index("notice_deliveries_ended", "notice_deliveries", ["state", "ended_at"], unique=False)
    op.create_table(
        "extension_requests",
        _number("number"),
        sa.Column("share_id", identifier(64), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.Column("decided_by", sa.String(length=254), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["share_id"], ["shares.id"]),
        sa.PrimaryKeyConstraint("number"),
    )
    for column in ("share_id", "state"):
        name = op.f(f"ix_extension_requests_{column}")
        op.create_index(name, "extension_requests", [column], unique=False)


def downgrade() -> None:
    """Drop them."""
    for name in _TABLES:
        op.drop_table(name)
    with op.batch_alter_table("shares") as table:
        for column in _LINK_COLUMNS:
            table.drop_column(column)
