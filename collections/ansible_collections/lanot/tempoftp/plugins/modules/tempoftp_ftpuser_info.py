#!/usr/bin/python
# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Step 7 of docs/dataflow.md: what an FTP host knows of its accounts."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tempoftp_ftpuser_info
short_description: What an FTP host knows of its accounts
version_added: 0.2.0
author:
  - LANOT (@lanot)
description:
  - Reads the accounts that tempoftp knows and those whose home is below O(root), with their open sessions. Nothing is changed.
  - No password hash is returned, only a digest of it.
extends_documentation_fragment:
  - lanot.tempoftp.attributes
  - lanot.tempoftp.mysql_login
  - lanot.tempoftp.users_table
attributes:
  check_mode:
    support: full
    description: It changes nothing anyway.
  diff_mode:
    support: none
    description: It changes nothing.
  idempotent:
    support: full
    description: It changes nothing.
options:
  names:
    description: Only the accounts of these names. All of them when not given.
    type: list
    elements: str
  root:
    description: The delivery root, where the homes and the folder C(.tempoftp) are.
    type: path
    default: /data
  default_uid:
    description: Uid that accounts of ours have.
    type: int
    default: 2001
  default_gid:
    description: Gid that accounts of ours have.
    type: int
    default: 2001
  min_uid:
    description: Least Uid and Gid that an account may have.
    type: int
    default: 1000
  pureftpd_mysql_conf:
    description:
      - MySQL configuration of Pure-FTPd, of which C(MYSQLCrypt) is read.
      - C(/etc/pure-ftpd/db/mysql.conf) or C(/etc/pure-ftpd/pureftpd-mysql.conf) when not given.
    type: path
seealso:
  - module: lanot.tempoftp.tempoftp_ftpuser
  - module: lanot.tempoftp.tempoftp_audit
"""

EXAMPLES = r"""
- name: Who may log in, and until when
  lanot.tempoftp.tempoftp_ftpuser_info:
  register: found
"""

RETURN = r"""
users:
  description: The accounts.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the account.
      type: str
    origin:
      description: V(created) by tempoftp, V(adopted), or none when neither a record nor a row is there.
      type: str
    state:
      description: V(present), V(blocked) or V(absent) in the users table.
      type: str
    home:
      description: Home of the account.
      type: str
    uid:
      description: Uid of the account.
      type: int
    gid:
      description: Gid of the account.
      type: int
    expires:
      description: When the account ends.
      type: str
    password_generation:
      description: How many passwords were wished for it.
      type: int
    password_digest:
      description: Fingerprint of the stored hash, by which others can tell whether it is the one they know.
      type: str
    sessions:
      description: How many open FTP sessions it has.
      type: int
    shares:
      description: The live shares of the account.
      type: list
      elements: str
problems:
  description: What could not be looked at, and why.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.lanot.tempoftp.plugins.module_utils._audit.run import (
    build_accounts_argument_spec,
    build_execution,
    run_ftpuser_info,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import TempoftpError


def main() -> None:
    """Translate options, call, translate the result."""
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "default": "/data"},
            "names": {"type": "list", "elements": "str"},
            **build_accounts_argument_spec(),
        },
        supports_check_mode=True,
    )
    root = module.params["root"]
    try:
        result = run_ftpuser_info(root, build_execution(module.params, root, True), module.params["names"])
    except TempoftpError as error:
        module.fail_json(msg=error.message, error=error.to_dict())
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
