"""Leases of audits, so that two workers never audit the same FTP host at once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tempoftp.db.models import UtcDateTime, identifier

revision = "audit_leases"
down_revision = "restorable"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("audits", sa.Column("lease_run_id", identifier(40), nullable=True))
    op.add_column("audits", sa.Column("lease_until", UtcDateTime(), nullable=True))


def downgrade() -> None:
    """Drop them."""
    op.drop_column("audits", "lease_until")
    op.drop_column("audits", "lease_run_id")
