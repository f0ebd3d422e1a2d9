# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Account records: which accounts tempoftp created or adopted on this host."""

from __future__ import annotations

from typing import NamedTuple, Optional

from .._host.files import SCHEMA, build_damaged, check_schema, delete_file, read_json, write_json
from .._host.tree import Tree
from .manifest import ORIGINS


class Account(NamedTuple):
    """Whether tempoftp ``created`` an account or ``adopted`` one that was there.

    ``password_generation`` counts the passwords that were requested, so that a late run does not restore an old one.
    """

    name: str
    origin: str
    created_at: str
    password_generation: int = 0


def read_account(tree: Tree, name: str) -> Optional[Account]:
    """Return the record of an account, or None; raise TempoftpError when it is damaged."""
    path = tree.account(name)
    content = read_json(path)
    if content is None:
        return None
    check_schema(content, path)
    origin, created_at = content.get("origin"), content.get("created_at")
    if content.get("name") != name or origin not in ORIGINS or not isinstance(created_at, str):
        raise build_damaged(path)
    number = content.get("password_generation", 0)
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise build_damaged(path)
    return Account(name, str(origin), created_at, number)


def write_account(tree: Tree, account: Account) -> None:
    """Write the record of an account, durably."""
    write_json(tree.account(account.name), {"schema": SCHEMA, **account._asdict()})


def delete_account(tree: Tree, name: str) -> None:
    """Remove the record of an account; no error when it is missing."""
    delete_file(tree.account(name))
