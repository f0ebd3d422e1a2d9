# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values that the tests of the account plan share: a site, a row, records, shares."""

from __future__ import annotations

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.desired import (
    AccountSite,
    DesiredAccount,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.plan import (
    ADOPTED,
    CREATED,
    SeenAccount,
    plan_account,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.users_table import UserRow
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import TempoftpError
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.times import format_time
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.accounts import Account
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.manifest import Manifest

NOW = 1_900_000_000
DAY = 86400
NAME = "ftp_alguien"
HASH = "$2b$12$" + "a" * 53
OTHER_HASH = "$2b$12$" + "b" * 53
ALONE = AccountSite(now=NOW, has_expires=True, mysql_crypt="any", password_width=255)
SHARED = ALONE._replace(shares_root="/data")
ROW = UserRow(NAME, HASH, 2001, 2001, f"/data/{NAME}", "1")
OURS = Account(NAME, CREATED, "2030-01-01T00:00:00Z")
THEIRS = Account(NAME, ADOPTED, "2030-01-01T00:00:00Z")
DESIRED = DesiredAccount(NAME, password_hash=HASH)


def build_share(share_id="s1", state="delivered", days=3, ready_at=None, expires=None):
    return Manifest(
        share_id, 1, NAME, "source1:/x", state=state, lifetime_days=days, ready_at=ready_at, expires=expires
    )


def build_ready_share(share_id, ready, days):
    return build_share(
        share_id, days=days, ready_at=format_time(ready), expires=format_time(ready + days * DAY)
    )


NOTHING = SeenAccount()


def refusal(desired, seen=NOTHING, site=SHARED):
    with pytest.raises(TempoftpError) as caught:
        plan_account(desired, seen, site)
    return caught.value
