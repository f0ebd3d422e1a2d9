"""The first tables: accounts, shares, history, FTP hosts, runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tempoftp.db.models import UtcDateTime, identifier

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "accounts",
        sa.Column("name", identifier(32), nullable=False),
        sa.Column("email", identifier(254), nullable=False),
        sa.Column("ftp_host", identifier(64), nullable=False),
        sa.Column("token", sa.Text(), nullable=True),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("origin", sa.String(length=16), nullable=True),
        sa.Column("exists_since", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("lease_run_id", identifier(40), nullable=True),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
        sa.UniqueConstraint("email"),
    )
    op.create_table(
        "ftp_hosts",
        sa.Column("name", identifier(64), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=True),
        sa.Column("database_facts", sa.JSON(), nullable=True),
        sa.Column("facts_at", UtcDateTime(), nullable=True),
        sa.Column("error_class", sa.String(length=32), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("error_at", UtcDateTime(), nullable=True),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "runs",
        sa.Column("id", identifier(40), nullable=False),
        sa.Column("ftp_host", identifier(64), nullable=False),
        sa.Column("shares", sa.Integer(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("error_class", sa.String(length=32), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_runs_ftp_host"), "runs", ["ftp_host"], unique=False)
    op.create_index(op.f("ix_runs_started_at"), "runs", ["started_at"], unique=False)
    op.create_table(
        "shares",
        sa.Column("id", identifier(64), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("email", identifier(254), nullable=False),
        sa.Column("ftpuser", identifier(32), nullable=False),
        sa.Column("ftp_host", identifier(64), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_root", sa.Text(), nullable=False),
        sa.Column("ssh_user", sa.String(length=32), nullable=False),
        sa.Column("ssh_key_file", sa.Text(), nullable=True),
        sa.Column("size_probe", sa.String(length=8), nullable=False),
        sa.Column("lifetime_days", sa.Integer(), nullable=False),
        sa.Column("writable", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("author", sa.String(length=254), nullable=False),
        sa.Column("request_id", identifier(64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("state_changed_at", UtcDateTime(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("error_class", sa.String(length=32), nullable=True),
        sa.Column("bytes_total", sa.BigInteger(), nullable=True),
        sa.Column("bytes_done", sa.BigInteger(), nullable=True),
        sa.Column("files_total", sa.BigInteger(), nullable=True),
        sa.Column("files_done", sa.BigInteger(), nullable=True),
        sa.Column("percent", sa.Float(), nullable=True),
        sa.Column("rate", sa.Float(), nullable=True),
        sa.Column("eta", sa.Float(), nullable=True),
        sa.Column("path", sa.Text(), nullable=True),
        sa.Column("skipped", sa.JSON(), nullable=True),
        sa.Column("skipped_total", sa.BigInteger(), nullable=True),
        sa.Column("ready_at", UtcDateTime(), nullable=True),
        sa.Column("expires", UtcDateTime(), nullable=True),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("retry_until", UtcDateTime(), nullable=True),
        sa.Column("lease_run_id", identifier(40), nullable=True),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["ftpuser"],
            ["accounts.name"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_shares_email"), "shares", ["email"], unique=False)
    op.create_index(op.f("ix_shares_expires"), "shares", ["expires"], unique=False)
    op.create_index(op.f("ix_shares_ftpuser"), "shares", ["ftpuser"], unique=False)
    op.create_index(op.f("ix_shares_lease_run_id"), "shares", ["lease_run_id"], unique=False)
    op.create_index(op.f("ix_shares_state"), "shares", ["state"], unique=False)
    op.create_index("shares_created", "shares", ["created_at", "id"], unique=False)
    op.create_index("shares_due", "shares", ["ftp_host", "due_at"], unique=False)
    op.create_table(
        "history",
        sa.Column(
            "number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("share_id", identifier(64), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("from_state", sa.String(length=16), nullable=True),
        sa.Column("to_state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("author", sa.String(length=254), nullable=False),
        sa.Column("run_id", identifier(40), nullable=True),
        sa.Column("request_id", identifier(64), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["share_id"],
            ["shares.id"],
        ),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index(op.f("ix_history_share_id"), "history", ["share_id"], unique=False)


def downgrade() -> None:
    """Drop them."""
    op.drop_index(op.f("ix_history_share_id"), table_name="history")
    op.drop_table("history")
    op.drop_index("shares_due", table_name="shares")
    op.drop_index("shares_created", table_name="shares")
    op.drop_index(op.f("ix_shares_state"), table_name="shares")
    op.drop_index(op.f("ix_shares_lease_run_id"), table_name="shares")
    op.drop_index(op.f("ix_shares_ftpuser"), table_name="shares")
    op.drop_index(op.f("ix_shares_expires"), table_name="shares")
    op.drop_index(op.f("ix_shares_email"), table_name="shares")
    op.drop_table("shares")
    op.drop_index(op.f("ix_runs_started_at"), table_name="runs")
    op.drop_index(op.f("ix_runs_ftp_host"), table_name="runs")
    op.drop_table("runs")
    op.drop_table("ftp_hosts")
    op.drop_table("accounts")
