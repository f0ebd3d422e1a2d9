"""Downloads: what the FTP hosts counted, and when they were asked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tempoftp.db.models import UtcDateTime, identifier

revision = "downloads"
down_revision = "audits"
branch_labels = None
depends_on = None

_TIMES = ("transfers_asked_at", "transfers_at", "transfers_since")


def upgrade() -> None:
    """Make the table and the columns; nothing is known yet."""
    op.create_table(
        "downloads",
        sa.Column("share_id", identifier(64), nullable=False),
        sa.Column("counted_at", UtcDateTime(), nullable=False),
        sa.Column("complete", sa.BigInteger(), nullable=False),
        sa.Column("partial", sa.BigInteger(), nullable=False),
        sa.Column("files_total", sa.BigInteger(), nullable=False),
        sa.Column("files_complete", sa.BigInteger(), nullable=False),
        sa.Column("never_fetched", sa.JSON(), nullable=False),
        sa.Column("never_fetched_total", sa.BigInteger(), nullable=False),
        sa.Column("last_download", UtcDateTime(), nullable=True),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["share_id"], ["shares.id"]),
        sa.PrimaryKeyConstraint("share_id"),
    )
    with op.batch_alter_table("ftp_hosts") as table:
        for name in _TIMES:
            table.add_column(sa.Column(name, UtcDateTime(), nullable=True))
        table.add_column(sa.Column("transfers_problem", sa.Text(), nullable=True))


def downgrade() -> None:
    """Drop them."""
    with op.batch_alter_table("ftp_hosts") as table:
        for name in (*_TIMES, "transfers_problem"):
            table.drop_column(name)
    op.drop_table("downloads")
