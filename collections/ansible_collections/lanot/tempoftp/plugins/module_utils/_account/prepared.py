# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plain passwords, verified and hashed before the host's lock is taken, since that takes a large part of a second each.

Whoever asks again under the lock gets the same answer at once, unless the account was changed meanwhile.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Optional

from .._host.errors import TempoftpError
from .desired import ALWAYS, AccountSite, DesiredAccount
from .passwords import hash_password, require_scheme, verify_password
from .users_table import UserRow


class PreparedPasswords:
    """The answers of one execution."""

    def __init__(self) -> None:
        self._verified: dict[tuple[str, str], Optional[bool]] = {}
        # By account: the same password of two accounts has two hashes.
        self._hashed: dict[tuple[str, str, str], str] = {}

    def prepare(self, desired: DesiredAccount, rows: Sequence[UserRow], site: AccountSite) -> None:
        """Do the work that the plan for an account with these rows will ask for."""
        if desired.password is None or desired.state == "absent":
            return
        is_known = bool(rows) and self.verify(desired.password, rows[0].password)
        if rows and (is_known or desired.update_password != ALWAYS):
            return
        # The plan refuses the account for the same reason, and says so.
        with contextlib.suppress(TempoftpError):
            scheme = require_scheme(site.mysql_crypt, site.password_width, site.mysql_conf, site.argon2)
            self.hash(desired.name, desired.password, scheme)

    def verify(self, password: str, stored: str) -> Optional[bool]:
        """Return whether a stored hash is of this password; None when that cannot be told."""
        if (password, stored) not in self._verified:
            self._verified[password, stored] = verify_password(password, stored)
        return self._verified[password, stored]

    def hash(self, name: str, password: str, scheme: str) -> str:
        """Return the hash of the password of an account."""
        if (name, password, scheme) not in self._hashed:
            self._hashed[name, password, scheme] = hash_password(password, scheme)
        return self._hashed[name, password, scheme]
