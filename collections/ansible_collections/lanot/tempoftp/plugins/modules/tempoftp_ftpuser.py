#!/usr/bin/python
# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Step 7 of docs/dataflow.md: the accounts of an FTP host. The logic is in module_utils, see
_ftpuser_run.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tempoftp_ftpuser
short_description: Manage Pure-FTPd accounts in a MySQL or MariaDB users table
version_added: 0.1.0
description:
  - Creates, blocks and removes virtual users of a Pure-FTPd server whose accounts live in a table of MySQL or
    MariaDB.
  - The table needs columns C(User), C(Password), C(Uid), C(Gid), C(Dir) and C(Status), or others that
    O(columns) names; C(Expires)
    (C(DATETIME), UTC) is used where it is there. C(Status) may be a number or an V(ENUM('0','1'\)).
  - The password of an existing account is not touched unless O(update_password=always).
  - How a password is stored depends on the width of its column and on C(MYSQLCrypt) of
    O(pureftpd_mysql_conf). A hash that Pure-FTPd would take for clear text is refused.
  - With O(shares_root), the module also reads the shares that M(lanot.tempoftp.tempoftp_share) manages
    there. An account is then created once it has a delivered share, and lives as long as its longest share.
    An account that tempoftp did not create is never written.
author:
  - LANOT (@lanot)
extends_documentation_fragment:
  - lanot.tempoftp.attributes
  - lanot.tempoftp.mysql_login
  - lanot.tempoftp.users_table
  - lanot.tempoftp.account_ids
attributes:
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second invocation
      indicates no change.
    support: full
options:
  name:
    description:
      - Name of the account.
      - A new one must match C(^[a-z][a-z0-9_]{0,31}$).
    type: str
  state:
    description:
      - V(present) creates the account and allows its logins.
      - V(blocked) keeps the account and its password and refuses its logins. A missing account is not created.
      - With O(shares_root), an account that should be V(present) is blocked while every share that it has
        here is blocked.
      - V(absent) removes the account. Its files are not touched.
    type: str
    choices: [present, absent, blocked]
    default: present
  password_hash:
    description:
      - Hash of the password, argon2id (C(p=1), C(m) at most 65536 KiB) or bcrypt (cost 10 to 16).
      - The filter P(lanot.tempoftp.ftp_password_hash#filter) computes one on the control host.
    type: str
  password:
    description:
      - The password itself, at least eight characters. It is hashed on the managed host, which needs
        argon2-cffi or bcrypt for it.
      - Prefer O(password_hash), which does not send the password to the host.
    type: str
  update_password:
    description:
      - V(on_create) sets the password of a new account only.
      - V(always) also changes the password of an existing account when it differs.
    type: str
    choices: [on_create, always]
    default: on_create
  password_generation:
    description:
      - Counts the passwords that are requested for an account. With O(shares_root), the number is stored on the
        host. With O(update_password=always), a lower number is then refused as V(stale), so that a late run
        does not restore an earlier password.
      - When unset, it is not checked.
    type: int
  uid:
    description: Uid of the account's processes. When unset, O(default_uid) for a new account.
    type: int
  gid:
    description: Gid of the account's processes. When unset, O(default_gid) for a new account.
    type: int
  home:
    description:
      - Home of the account. Its last part must be the account's name.
      - With O(shares_root) it is always O(shares_root)C(/)O(name).
      - When unset, C(/data/)O(name) for a new account.
    type: str
  expires:
    description:
      - When the account ends, in UTC, like V(2030-01-31T12:00:00Z). The table must have a column C(Expires).
      - Refused with O(shares_root), where it comes from the account's shares.
    type: str
  end_sessions:
    description: Whether to end the open FTP sessions of an account that becomes V(blocked) or V(absent), or whose
      password changes. Pure-FTPd itself lets them go on.
    type: bool
    default: true
  adopt:
    description:
      - With O(shares_root), whether an account that tempoftp did not create may be used for shares. It is
        never written.
      - Otherwise O(state=present) of such an account is an C(account_conflict), since its name does not prove
        whose account it is.
    type: bool
    default: false
  users:
    description:
      - A list of accounts, in place of O(name) and the options above.
      - The task does not fail when one account fails. Each entry of RV(users) has its own C(error).
      - With an empty list, only RV(database) is reported.
    type: list
    elements: dict
    suboptions:
      name:
        description: See O(name).
        type: str
        required: true
      state:
        description: See O(state).
        type: str
        choices: [present, absent, blocked]
        default: present
      password_hash:
        description: See O(password_hash).
        type: str
      password:
        description: See O(password).
        type: str
      update_password:
        description: See O(update_password).
        type: str
        choices: [on_create, always]
        default: on_create
      password_generation:
        description: See O(password_generation).
        type: int
      uid:
        description: See O(uid).
        type: int
      gid:
        description: See O(gid).
        type: int
      home:
        description: See O(home).
        type: str
      expires:
        description: See O(expires).
        type: str
      end_sessions:
        description: See O(end_sessions).
        type: bool
        default: true
      adopt:
        description: See O(adopt).
        type: bool
        default: false
  shares_root:
    description:
      - Root of the shares on this host, for example V(/data). The module reads the manifests below it and
        holds its lock.
      - O(state=present) is skipped for an account that has no delivered share.
      - Once an account is confirmed in the table, the start and the end of its delivered and blocked shares
        are written into their manifests, and C(Expires) becomes the latest end.
      - When the number of days of a share has changed, its end is computed again from its start. A share whose
        time is up stays ended.
      - O(state=absent) does not remove an account that has a live share, or that tempoftp did not create.
    type: path
notes:
  - Set C(no_log=true) on tasks that pass or register a password or its hash.
seealso:
  - module: lanot.tempoftp.tempoftp_share
  - plugin: lanot.tempoftp.ftp_password_hash
    plugin_type: filter
"""

EXAMPLES = r"""
- name: An account for some weeks, its password hashed on the control host
  lanot.tempoftp.tempoftp_ftpuser:
    name: ftp_alguien_dominio
    password_hash: "{{ ftp_password | lanot.tempoftp.ftp_password_hash(scheme='bcrypt') }}"
    expires: "2030-01-31T12:00:00Z"
  no_log: true

- name: Refuse its logins and end its sessions
  lanot.tempoftp.tempoftp_ftpuser:
    name: ftp_alguien_dominio
    state: blocked

- name: Several accounts in one execution, as their shares under /data require
  lanot.tempoftp.tempoftp_ftpuser:
    shares_root: /data
    users:
      - name: ftp_alguien_dominio
        password_hash: "{{ ftp_password_hash }}"
      - name: ftp_otra_dominio
        state: absent
  no_log: true
  register: accounts

- name: A table that was there before, with other names and a quota
  lanot.tempoftp.tempoftp_ftpuser:
    name: ftp_alguien_dominio
    password_hash: "{{ ftp_password_hash }}"
    table: ftpd
    columns:
      name: login
      home: homedir
    extra_columns:
      QuotaSize: 0
  no_log: true

- name: Only check whether the database can be used
  lanot.tempoftp.tempoftp_ftpuser:
    users: []
"""

RETURN = r"""
database:
  description: What the users table and the configuration of Pure-FTPd allow, or why the database could not be
    used.
  returned: always
  type: dict
  contains:
    ok:
      description: Whether the table could be read.
      returned: always
      type: bool
    version:
      description: Version of the server.
      returned: when ok
      type: str
      sample: 10.11.14-MariaDB-0+deb12u2
    mysql_crypt:
      description: Value of C(MYSQLCrypt), lower case; null when it is not set or its file cannot be read.
      returned: when ok
      type: str
      sample: any
    password_width:
      description: Characters that the password column holds.
      returned: when ok
      type: int
      sample: 255
    password_schemes:
      description: Schemes that this host's Pure-FTPd can read and accepts, and that fit into the column, the best one first.
      returned: when ok
      type: list
      elements: str
      sample: [argon2id, bcrypt]
    has_expires:
      description: Whether the table has a column C(Expires).
      returned: when ok
      type: bool
    error:
      description: Why it could not be used, like C(error) of RV(users).
      returned: when not ok
      type: dict
users:
  description: One entry for each account, in the order in which they were given; also in the single form.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The account.
      returned: always
      type: str
      sample: ftp_alguien_dominio
    changed:
      description: Whether this account was changed.
      returned: always
      type: bool
    created:
      description: Whether this execution created the account.
      returned: always
      type: bool
    state:
      description: V(present), V(blocked) or V(absent) after the execution; V(unknown) when there is an
        C(error).
      returned: always
      type: str
      sample: present
    origin:
      description: With O(shares_root), V(created) by tempoftp, or V(adopted) when the account was there before.
      returned: always
      type: str
      sample: created
    home:
      description: Home of the account.
      returned: always
      type: str
      sample: /data/ftp_alguien_dominio
    uid:
      description: Uid of the account.
      returned: always
      type: int
      sample: 2001
    gid:
      description: Gid of the account.
      returned: always
      type: int
      sample: 2001
    expires:
      description: When the account ends.
      returned: always
      type: str
      sample: '2030-01-31T12:00:00Z'
    password_hash:
      description:
        - The stored hash. It is left out when it equals O(password_hash), since Ansible would censor it.
        - Null when what is stored is no salted hash of a known form, as an account that was there before may have it. A password
          in clear does not leave the host.
      returned: when the account is there and its hash is not the one that was given
      type: str
    password_matches:
      description: Whether the given password or hash is the stored one; null when that is not known.
      returned: always
      type: bool
    sessions_ended:
      description: FTP sessions that were ended.
      returned: always
      type: int
      sample: 0
    skipped_reason:
      description: V(no_delivered_share) when nothing was done because the account has no delivered share.
      returned: always
      type: str
    kept_reason:
      description: V(live_shares) or V(adopted) when an account was left as it was.
      returned: always
      type: str
    shares:
      description: With O(shares_root), the delivered shares of the account.
      returned: always
      type: list
      elements: dict
      sample:
        - id: proyecto_real_1
          generation: 1
          ready_at: '2030-01-21T12:00:00Z'
          expires: '2030-01-31T12:00:00Z'
    error:
      description:
        - What went wrong with this account - C(class) (for example V(account_conflict),
          V(database_unavailable), V(password_scheme)), C(message),
          and C(transient), which says whether the same request may succeed later.
      returned: always
      type: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.desired import (
    ALWAYS,
    STATES,
    DesiredAccount,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.options import (
    build_accounts_argument_spec,
    build_execution,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.result import (
    build_diff,
    build_result,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.run import (
    run_accounts,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import TempoftpError


def build_account_argument_spec() -> dict[str, dict[str, Any]]:
    """Return the options of one account, the same in both forms."""
    return {
        "name": {"type": "str", "no_log": False},
        "state": {"type": "str", "choices": list(STATES), "default": "present", "no_log": False},
        "password_hash": {"type": "str", "no_log": True},
        "password": {"type": "str", "no_log": True},
        "update_password": {
            "type": "str",
            "choices": ["on_create", ALWAYS],
            "default": "on_create",
            "no_log": False,
        },
        "password_generation": {"type": "int", "no_log": False},
        "uid": {"type": "int", "no_log": False},
        "gid": {"type": "int", "no_log": False},
        "home": {"type": "str", "no_log": False},
        "expires": {"type": "str", "no_log": False},
        "end_sessions": {"type": "bool", "default": True, "no_log": False},
        "adopt": {"type": "bool", "default": False, "no_log": False},
    }


def build_argument_spec() -> dict[str, dict[str, Any]]:
    """Return all options of the module."""
    listed = build_account_argument_spec()
    listed["name"]["required"] = True
    return {
        **build_account_argument_spec(),
        "users": {"type": "list", "elements": "dict", "options": listed, "no_log": False},
        "shares_root": {"type": "path", "no_log": False},
        **build_accounts_argument_spec(),
    }


def main() -> None:
    """Translate options into desired accounts, and outcomes into a result."""
    module = AnsibleModule(
        argument_spec=build_argument_spec(),
        mutually_exclusive=[("name", "users"), ("password", "password_hash")],
        required_one_of=[("name", "users")],
        supports_check_mode=True,
    )
    single = module.params["users"] is None
    items = [module.params] if single else module.params["users"]
    accounts = [DesiredAccount(**{key: item[key] for key in DesiredAccount._fields}) for item in items]

    try:
        execution = build_execution(module.params, module.params["shares_root"], module.check_mode)
    except TempoftpError as error:
        module.fail_json(msg=error.message, error=error.to_dict())
    outcomes, database = run_accounts(execution, accounts)

    result = {
        "changed": any(outcome.changed for outcome in outcomes),
        "database": database,
        "users": [build_result(outcome) for outcome in outcomes],
        "diff": [diff for diff in map(build_diff, outcomes) if diff is not None],
    }
    error = outcomes[0].error if single else None
    if error is not None:
        module.fail_json(msg=error.message, error=error.to_dict(), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
