#!/usr/bin/python
# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Step 7 of docs/dataflow.md: what an FTP host knows of its accounts."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tempoftp_ftpuser_info
short_description: Read the accounts of an FTP host
version_added: 0.2.0
author:
  - LANOT (@lanot)
description:
  - Reads the accounts that tempoftp knows and those whose home is below O(root), with their open sessions. It changes nothing.
  - No password hash is returned, only a digest of it.
extends_documentation_fragment:
  - lanot.tempoftp.attributes.read_only
  - lanot.tempoftp.mysql_login
  - lanot.tempoftp.users_table
  - lanot.tempoftp.account_ids
  - lanot.tempoftp.delivery_root
options:
  names:
    description: Names of the accounts to return. When unset, all of them.
    type: list
    elements: str
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
      description: V(created) by tempoftp, V(adopted), or null when there is neither a record nor a row.
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
      description: How many passwords were requested for the account.
      type: int
    password_digest:
      description: Digest of the stored hash. A caller that knows the hash can compare it by this. Null when what is stored is no hash of a known form.
      type: str
    sessions:
      description: How many FTP sessions of the account are open.
      type: int
    shares:
      description: The live shares of the account.
      type: list
      elements: str
problems:
  description: What could not be read, and why.
  returned: always
  type: list
  elements: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.options import (
    build_accounts_argument_spec,
    build_execution,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._audit.run import (
    run_ftpuser_info,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import TempoftpError


def build_argument_spec() -> dict[str, dict[str, Any]]:
    """Return all options of the module."""
    return {
        "root": {"type": "path", "default": "/data"},
        "names": {"type": "list", "elements": "str"},
        **build_accounts_argument_spec(),
    }


def main() -> None:
    """Translate options, call, translate the result."""
    module = AnsibleModule(argument_spec=build_argument_spec(), supports_check_mode=True)
    root = module.params["root"]
    try:
        result = run_ftpuser_info(root, build_execution(module.params, root, True), module.params["names"])
    except TempoftpError as error:
        module.fail_json(msg=error.message, error=error.to_dict())
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
