"""Audits: the last one of each FTP host, and whether the host may be acted on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tempoftp.db.models import UtcDateTime, identifier

revision = "audits"
down_revision = "source_methods"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "audits",
        sa.Column("ftp_host", identifier(64), nullable=False),
        sa.Column("requested_at", UtcDateTime(), nullable=True),
        sa.Column("requested_by", sa.String(length=254), nullable=True),
        sa.Column("repair", sa.Boolean(), nullable=False),
        sa.Column("restore", sa.Boolean(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("check_wanted", sa.Boolean(), nullable=False),
        sa.Column("stale_since", UtcDateTime(), nullable=True),
        sa.Column("stale_reason", sa.Text(), nullable=True),
        sa.Column("audited_at", UtcDateTime(), nullable=True),
        sa.Column("restored_at", UtcDateTime(), nullable=True),
        sa.Column("run_id", identifier(40), nullable=True),
        sa.Column("findings", sa.JSON(), nullable=True),
        sa.Column("failures", sa.JSON(), nullable=True),
        sa.Column("counts", sa.JSON(), nullable=True),
        sa.Column("unknown_accounts", sa.JSON(), nullable=True),
        sa.Column("ended_generations", sa.JSON(), nullable=True),
        sa.Column("error_class", sa.String(length=32), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("ftp_host"),
    )
    op.create_index(op.f("ix_audits_due_at"), "audits", ["due_at"], unique=False)


def downgrade() -> None:
    """Drop it."""
    op.drop_index(op.f("ix_audits_due_at"), table_name="audits")
    op.drop_table("audits")
