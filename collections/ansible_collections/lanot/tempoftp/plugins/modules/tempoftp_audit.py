#!/usr/bin/python
# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Step 7 of docs/dataflow.md: what is not as it should be on an FTP host, and repairing what is safe."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tempoftp_audit
short_description: Find inconsistencies on an FTP host, and repair those that are safe to repair
version_added: 0.2.0
author:
  - LANOT (@lanot)
description:
  - Compares manifests, tombstones, accounts, folders, units, mounts and open sessions of an FTP host with one another. With
    O(expected), it compares them with a list of shares as well, for example with the service's database.
  - A consistent host gives no finding. Work that is in progress is no finding either.
  - With O(repair), safe repairs are done by the same plans as any other run. Deletions that were interrupted are finished. The
    trash, and staging that belongs to no copy, are removed. Shares past their expiry are ended. Owner and mode of the
    collection's own files are set. Accounts that tempoftp created are removed when they have no share. Sessions that have lost
    their access are ended. Then the host is looked at again.
  - Data that no manifest names is never deleted. A directory without a manifest is only listed.
extends_documentation_fragment:
  - lanot.tempoftp.attributes
  - lanot.tempoftp.mysql_login
  - lanot.tempoftp.users_table
  - lanot.tempoftp.account_ids
  - lanot.tempoftp.delivery_root
attributes:
  check_mode:
    support: full
    description: Nothing is repaired.
  diff_mode:
    support: none
    description: The findings say what is wrong.
  idempotent:
    support: full
    description: A second execution does not find again what was repaired.
options:
  repair:
    description: Whether to do the safe repairs. In check mode nothing is repaired.
    type: bool
    default: false
  expected:
    description:
      - The shares that should be on this host, for example by the service's database. With it, rows without shares and shares
        without rows are findings too.
      - These findings are never repaired here.
    type: list
    elements: dict
    suboptions:
      id:
        description: Name of the share.
        type: str
        required: true
      generation:
        description: Its generation in the list.
        type: int
        required: true
      state:
        description:
          - V(listo), V(bloqueado), V(present) or V(blocked) for a share that should be here, V(expirado), V(eliminado) or V(absent)
            for one that should not. A share with any other state is still changing and is not compared.
        type: str
        required: true
      ftpuser:
        description: The account of the share.
        type: str
      expires:
        description: When the share ends, like V(2030-01-31T12:00:00Z).
        type: str
  deep_limit:
    description:
      - How many entries inside delivered, read-only shares have their owner and mode compared as well. With V(0), none.
    type: int
    default: 0
  accounts:
    description: Whether to look at the users table. If not, accounts and sessions are not compared.
    type: bool
    default: true
seealso:
  - module: lanot.tempoftp.tempoftp_share_info
  - module: lanot.tempoftp.tempoftp_ftpuser_info
"""

EXAMPLES = r"""
- name: List the findings
  lanot.tempoftp.tempoftp_audit:
  register: audit

- name: Do the safe repairs
  lanot.tempoftp.tempoftp_audit:
    repair: true

- name: Compare with a list of the shares that should be there
  lanot.tempoftp.tempoftp_audit:
    expected:
      - id: proyecto_real_1
        generation: 1
        state: listo
        ftpuser: ftp_alguien_dominio
        expires: "2030-01-31T12:00:00Z"
"""

RETURN = r"""
summary:
  description: One line for a person.
  returned: always
  type: str
  sample: "2030-01-21T12:00:00Z: nothing is wrong"
findings:
  description: The inconsistencies that were found.
  returned: always
  type: list
  elements: dict
  contains:
    kind:
      description:
        - The kind of the finding - V(account_without_share), V(share_without_account), V(directory_without_manifest), V(row_without_share),
          V(shares_lost), V(share_without_row), V(share_past_expiry), V(wrong_owner_or_mode), V(half_deleted), V(staging_left_over),
          V(damaged_manifest), V(account_differs), V(session_without_access), V(unit_without_share), V(library_left_over),
          V(share_out_of_place), V(share_without_directory), V(mount_without_share), V(row_older_than_host), V(row_differs),
          V(not_looked_at).
      type: str
    subject:
      description: The share, account, unit or path.
      type: str
    detail:
      description: What is wrong with it. Where a person has to act, also what to do.
      type: str
    repair:
      description: V(safe) when O(repair) does it, else V(manual).
      type: str
    repaired:
      description: Whether it is no longer found after the repair.
      type: bool
failures:
  description: The repairs that failed, and why.
  returned: always
  type: list
  elements: str
facts:
  description: The state of the host after the repair.
  returned: always
  type: dict
  contains:
    time:
      description: The host's time, which never goes back.
      type: str
    root:
      description: The delivery root.
      type: str
    shares:
      description:
        - The manifests. Each has the values of RV(lanot.tempoftp.tempoftp_share_info#module:shares), without C(copying), C(staged) and
          C(tombstone).
      type: list
      elements: dict
    tombstones:
      description: The tombstones of shares that ended.
      type: list
      elements: dict
      sample:
        - {"id": "old", "generation": 2, "ended_at": "2030-01-31T12:00:00Z", "ftpuser": "ftp_x", "reason": "expired", "managed_by": "service"}
    accounts:
      description:
        - The accounts that tempoftp knows, and those whose home is below the root. Null when the users table was not read.
        - Each has the values of RV(lanot.tempoftp.tempoftp_ftpuser_info#module:users), without C(shares).
      type: list
      elements: dict
    damaged:
      description: Files under C(.tempoftp) that cannot be read.
      type: list
      elements: str
    copies_running:
      description: How many copies run.
      type: int
    problems:
      description: What could not be read, and why.
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
    AuditOptions,
    parse_expected,
    run_audit,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import TempoftpError
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.tree import open_tree


def build_row_spec() -> dict[str, dict[str, Any]]:
    """Return the options of one row of ``expected``."""
    return {
        "id": {"type": "str", "required": True},
        "generation": {"type": "int", "required": True},
        "state": {"type": "str", "required": True},
        "ftpuser": {"type": "str"},
        "expires": {"type": "str"},
    }


def build_argument_spec() -> dict[str, dict[str, Any]]:
    """Return all options of the module."""
    return {
        "root": {"type": "path", "default": "/data"},
        "repair": {"type": "bool", "default": False},
        "expected": {"type": "list", "elements": "dict", "options": build_row_spec()},
        "deep_limit": {"type": "int", "default": 0},
        "accounts": {"type": "bool", "default": True},
        **build_accounts_argument_spec(),
    }


def build_options(params: dict[str, Any], check_mode: bool) -> AuditOptions:
    """Return the options of one execution."""
    root = params["root"]
    return AuditOptions(
        tree=open_tree(root),
        accounts=build_execution(params, root, check_mode) if params["accounts"] else None,
        expected=parse_expected(params["expected"]),
        repair=params["repair"] and not check_mode,
        deep_limit=params["deep_limit"],
        with_sessions=params["accounts"],
    )


def main() -> None:
    """Translate options, call, translate the result."""
    module = AnsibleModule(argument_spec=build_argument_spec(), supports_check_mode=True)
    try:
        result = run_audit(build_options(module.params, module.check_mode))
    except TempoftpError as error:
        module.fail_json(msg=error.message, error=error.to_dict())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
