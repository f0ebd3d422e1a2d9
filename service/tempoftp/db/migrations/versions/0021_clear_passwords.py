"""Removes stored passwords that are no hash: accounts that were there before may have had them in clear."""

from __future__ import annotations

import re

import sqlalchemy as sa
from alembic import op

revision = "clear_passwords"
down_revision = "audit_leases"
branch_labels = None
depends_on = None

_HASH = re.compile(r"\$(?:argon2id?|2[abxy]|1|5|6|7|g?y)\$.{22,}")


def upgrade() -> None:
    """Remove them; the FTP host does not report them any more."""
    accounts = sa.table("accounts", sa.column("name"), sa.column("password_hash"))
    connection = op.get_bind()
    rows = connection.execute(sa.select(accounts).where(accounts.c.password_hash.is_not(None))).all()
    for name, stored in rows:
        if not _HASH.fullmatch(stored):
            connection.execute(sa.update(accounts).where(accounts.c.name == name).values(password_hash=None))


def downgrade() -> None:
    """Nothing can bring them back."""
