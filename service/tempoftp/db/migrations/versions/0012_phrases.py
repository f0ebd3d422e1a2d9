"""Messages of shares and reasons of their history as code and values instead of sentences.

The columns stay texts, which hold JSON from now on. A reason that was always the same sentence gets its code. Any other
text is kept as it is, under the code `verbatim`.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

revision = "phrases"
down_revision = "previews"
branch_labels = None
depends_on = None

PIECE = 1000
"""So many rows are rewritten at once."""

CODES = {
    "requested": "requested",
    "requested again": "requested_again",
    "a run took it up": "taken_up",
    "reported by the FTP host": "host_reported",
    "deletion requested": "deletion_requested",
    "deletion of its account requested": "account_deletion_requested",
    "its lifetime has ended": "lifetime_ended",
    "block requested": "block_requested",
    "block of its account requested": "account_block_requested",
    "unblock requested": "unblock_requested",
    "unblock of its account requested": "account_unblock_requested",
    "new password requested": "new_password_requested",
    "password shown": "password_shown",
    "a link for the recipient was made": "link_made",
    "the recipient's links were revoked": "links_revoked",
    "retry requested": "retry_requested",
    "account, sessions and data are gone": "gone",
}


def upgrade() -> None:
    """Wrap every text in a phrase. An empty message stays empty."""
    _rewrite("history", "number", "reason", _pack_reason)
    _rewrite("shares", "id", "message", lambda text: _dump([["verbatim", {"text": text}]]))


def downgrade() -> None:
    """Unwrap the texts that were kept; of a phrase with another code only the code is left."""
    _rewrite("history", "number", "reason", lambda text: _unpack(json.loads(text)))
    _rewrite("shares", "id", "message", lambda text: " ".join(_unpack(packed) for packed in json.loads(text)))


def _pack_reason(text: str) -> str:
    code = CODES.get(text)
    return _dump(["verbatim", {"text": text}] if code is None else [code, {}])


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _unpack(packed: list[object]) -> str:
    code, params = packed
    sentences = {known: text for text, known in CODES.items()}
    if code == "verbatim" and isinstance(params, dict):
        return str(params["text"])
    return sentences.get(str(code), str(code))


def _rewrite(name: str, key: str, column: str, convert: Callable[[str], str]) -> None:
    table = sa.table(name, sa.column(key), sa.column(column, sa.Text()))
    connection = op.get_bind()
    rows = connection.execute(sa.select(table.c[key], table.c[column]).where(table.c[column] != "")).all()
    update = sa.update(table).where(table.c[key] == sa.bindparam("row")).values({column: sa.bindparam("new")})
    for start in range(0, len(rows), PIECE):
        connection.execute(
            update, [{"row": row, "new": convert(text)} for row, text in rows[start : start + PIECE]]
        )
