#!/usr/bin/python
# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Step 7 of docs/dataflow.md: what an FTP host's own time ends. The logic is in module_utils/_sweep/run.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tempoftp_expire
short_description: End the shares of an FTP host whose time is up
version_added: 0.2.0
author:
  - LANOT (@lanot)
description:
  - Ends every share whose time is up, also one that no database knows. The share leaves the home at once. A unit of the host
    removes its data.
  - Then the account is removed when tempoftp created it and it has no share left. Otherwise its C(Expires) becomes the end of its
    longest share. Sessions that began before that are ended.
  - It also finishes what a killed execution left, and removes what a failed copy left some days after it failed.
  - When the database cannot be reached, the data is removed all the same. The next execution handles the account.
  - It installs the program that C(tempoftp-expire.timer) starts each minute on the host, and keeps it up to date. That program
    does the same as this module.
  - A share that is extended at the same moment is either extended or ended, never both, since both are done under one lock. When
    the clock is set back, no ended share becomes available again.
extends_documentation_fragment:
  - lanot.tempoftp.attributes
  - lanot.tempoftp.mysql_login
  - lanot.tempoftp.users_table
  - lanot.tempoftp.delivery_root
attributes:
  diff_mode:
    support: none
    description: The result names what was ended.
options:
  grace_seconds:
    description:
      - For how many seconds a session with a running transfer may go on when the time of a share of its account is up. At most a
        day.
      - When unset, the value in C(/etc/tempoftp/expire.json), which the role C(ftp_server) writes. Without that file, V(0).
    type: float
  trash_hours:
    description:
      - For how many hours the data of a share that was deleted or expired waits in the trash, where M(lanot.tempoftp.tempoftp_share)
        can restore it without a copy. V(0) removes it at once, V(24) is recommended where there is room, since waiting data takes space.
      - When unset, the value that the role ftp_server wrote on the host, else V(0).
    type: float
  staging_days:
    description:
      - For how many days the data of a failed copy is kept for another try. Then the share is ended.
      - When unset, the value in C(/etc/tempoftp/expire.json). Without that file, V(7).
    type: int
  only_program:
    description: Whether to only update the program of the timer.
    type: bool
    default: false
notes:
  - When something could not be done, the task does everything else first and then fails.
seealso:
  - module: lanot.tempoftp.tempoftp_share
  - module: lanot.tempoftp.tempoftp_ftpuser
"""

EXAMPLES = r"""
- name: End the shares whose time is up
  lanot.tempoftp.tempoftp_expire:

- name: Only list what would be ended
  lanot.tempoftp.tempoftp_expire:
  check_mode: true
"""

RETURN = r"""
shares:
  description: The shares that were ended, or could not be ended.
  returned: without O(only_program)
  type: list
  elements: dict
  contains:
    id:
      description: The share.
      type: str
      sample: proyecto_real_1
    generation:
      description: The generation that ended.
      type: int
      sample: 1
    ftpuser:
      description: The account of the share.
      type: str
      sample: ftp_alguien_dominio
    reason:
      description: V(expired), or V(deleted) when the deletion of the share had already begun.
      type: str
      sample: expired
    state:
      description: V(purging) while its data is being removed, then V(absent).
      type: str
      sample: purging
    error:
      description: Null, or what went wrong, as in M(lanot.tempoftp.tempoftp_share).
      type: dict
accounts:
  description: The accounts that were changed, or could not be.
  returned: without O(only_program)
  type: list
  elements: dict
  contains:
    name:
      description: The account.
      type: str
      sample: ftp_alguien_dominio
    changed:
      description: Whether its row was written.
      type: bool
    state:
      description: V(absent), V(present) or V(blocked); V(unknown) when there is an error.
      type: str
      sample: absent
    expires:
      description: The new end of the account.
      type: str
    kept_reason:
      description: V(live_shares) or V(adopted) when the account was not removed.
      type: str
    error:
      description: Null, or what went wrong, as in M(lanot.tempoftp.tempoftp_ftpuser).
      type: dict
sessions_ended:
  description: Number of FTP sessions that were ended.
  returned: without O(only_program)
  type: int
  sample: 0
sessions_left:
  description: Number of FTP sessions that go on because of O(grace_seconds).
  returned: without O(only_program)
  type: int
  sample: 0
staging:
  description: Shares whose data of a failed copy was removed.
  returned: without O(only_program)
  type: list
  elements: str
libraries:
  description: Programs of earlier releases that were removed from C(.tempoftp/lib).
  returned: without O(only_program)
  type: list
  elements: str
program:
  description: The program that the timer starts.
  returned: always
  type: str
  sample: /data/.tempoftp/lib/0123456789abcdef/expire
database:
  description: Whether the users table could be used, as in M(lanot.tempoftp.tempoftp_ftpuser). Null when it was not needed.
  returned: without O(only_program)
  type: dict
next_end:
  description: When the next share ends (ISO 8601 UTC), null when none does.
  returned: without O(only_program)
  type: str
  sample: '2030-01-31T12:00:00Z'
clock_ahead:
  description:
    - By how many seconds the latest time that this host has recorded is ahead of its clock. A large number means that the clock
      was set back.
  returned: without O(only_program)
  type: int
  sample: 0
clock_confirmed:
  description:
    - Whether the clock may be believed. It is synchronised, or at most a day away from the latest time that was confirmed. Without it
      no data is removed.
  returned: without O(only_program)
  type: bool
problems:
  description: What could not be done, one sentence for each problem.
  returned: without O(only_program)
  type: list
  elements: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.mysql_login import (
    build_login_argument_spec,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.options import (
    build_table_argument_spec,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import TempoftpError
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.tree import Tree, open_tree
from ansible_collections.lanot.tempoftp.plugins.module_utils._share.library import name_library
from ansible_collections.lanot.tempoftp.plugins.module_utils._sweep.library import (
    EXPIRE,
    install_expire,
    is_installed,
    read_expire_library,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._sweep.run import run_sweep
from ansible_collections.lanot.tempoftp.plugins.module_utils._sweep.settings import (
    ExpireSettings,
    build_settings,
    read_settings,
)


def build_argument_spec() -> dict[str, dict[str, Any]]:
    """Return all options."""
    return {
        "root": {"type": "path", "default": "/data", "no_log": False},
        "grace_seconds": {"type": "float", "no_log": False},
        "staging_days": {"type": "int", "no_log": False},
        "trash_hours": {"type": "float", "no_log": False},
        "only_program": {"type": "bool", "default": False, "no_log": False},
        "pureftpd_mysql_conf": {"type": "path", "no_log": False},
        **build_table_argument_spec(),
        **build_login_argument_spec(),
    }


def choose_settings(params: dict[str, Any]) -> ExpireSettings:
    """Return the settings of the options; those that are not given come from the file that the role wrote."""
    names = ("grace_seconds", "staging_days", "trash_hours")
    times = {name: params[name] for name in names if params[name] is not None}
    if len(times) < len(names):
        times = {**{name: getattr(read_settings(), name) for name in names}, **times}
    return build_settings({**params, **times})


def install_program(tree: Tree, check_mode: bool) -> tuple[bool, str]:
    """Update the timer's program; return whether it was out of date, and its path."""
    name = name_library(read_expire_library())
    outdated = not is_installed(tree, name)
    if outdated and not check_mode:
        install_expire(tree)
    return outdated, str(tree.lib / name / EXPIRE)


def main() -> None:
    """Translate options, call, translate the result."""
    module = AnsibleModule(argument_spec=build_argument_spec(), supports_check_mode=True)
    try:
        tree = open_tree(module.params["root"])
        settings = choose_settings(module.params)
        installed, program = install_program(tree, module.check_mode)
        if module.params["only_program"]:
            module.exit_json(changed=installed, program=program)
        swept = run_sweep(tree, settings, module.check_mode)
    except TempoftpError as error:
        module.fail_json(msg=error.message, error=error.to_dict())
    result = {key: value for key, value in swept._asdict().items() if key != "wake_at"}
    result.update(changed=swept.changed or installed, program=program)
    if swept.problems:
        module.fail_json(msg="; ".join(swept.problems), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
