#!/usr/bin/python

# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What fits on an FTP host and what does not, for playbooks/preflight.yml."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tempoftp_preflight_info
short_description: Check whether a host meets the requirements of an FTP host
version_added: 0.1.0
description:
  - Checks a host that is, or will become, an FTP host of tempoftp. It looks at programs and their versions, uid and
    gid, the delivery root, free space, the users table, the configuration of Pure-FTPd and its query at a login, the
    sources with their keys, and the clocks. It has systemd run C(true) in the sandbox of each kind of unit that copies and
    removes shares, since a container may not allow that.
  - It changes nothing, neither on the host nor on the sources. It needs root. Only on a network filesystem it makes an empty folder and removes it at
    once, to see whose it is.
author:
  - LANOT (@lanot)
extends_documentation_fragment:
  - lanot.tempoftp.attributes.read_only
  - lanot.tempoftp.mysql_login
  - lanot.tempoftp.users_table
  - lanot.tempoftp.delivery_root
  - lanot.tempoftp.space_reserve
options:
  uid:
    description: Uid of FTP accounts.
    type: int
    default: 2001
  gid:
    description: Gid of FTP accounts.
    type: int
    default: 2001
  user:
    description: Name of the system user that should have O(uid).
    type: str
    default: pureftpd
  group:
    description: Name of the group that should have O(gid).
    type: str
    default: pureftpd
  sources:
    description: The sources, in the form of C(tempoftp_sources) in the inventory.
    type: list
    elements: dict
    default: []
  control_time:
    description: Time on the control host in seconds since the epoch. The host's clock is compared with it.
    type: float
seealso:
  - module: lanot.tempoftp.tempoftp_ftpuser
  - module: lanot.tempoftp.tempoftp_share
"""

EXAMPLES = r"""
- name: Check an FTP host
  lanot.tempoftp.tempoftp_preflight_info:
    root: /data
    sources: "{{ tempoftp_sources }}"
    control_time: "{{ now(utc=true).timestamp() }}"
  register: preflight

- name: Show the checks that are not ok
  ansible.builtin.debug:
    msg: "{{ preflight.checks | rejectattr('status', 'eq', 'ok') }}"
"""

RETURN = r"""
checks:
  description: One entry for each check.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the check.
      returned: always
      type: str
      sample: login_query_expires
    status:
      description: V(ok), V(warn) (it works with limits) or V(fail) (it does not work).
      returned: always
      type: str
      sample: warn
    what:
      description: What was found.
      returned: always
      type: str
      sample: the table has no column for the end of an account
    todo:
      description: What to do. Empty when the status is V(ok).
      returned: always
      type: str
summary:
  description: How many checks have each status.
  returned: always
  type: dict
  sample: {ok: 20, warn: 2, fail: 0}
pureftpd:
  description: The configuration of Pure-FTPd on this host, also when no role of this collection wrote it.
  returned: always
  type: dict
  contains:
    found:
      description: Whether there is a configuration.
      returned: always
      type: bool
    tls:
      description: Value of C(TLS), 0 to 3.
      returned: always
      type: int
      sample: 3
    port:
      description: Port of the control connection.
      returned: always
      type: int
      sample: 21
    address:
      description: The one address that it listens on, or null for all.
      returned: always
      type: str
      sample: 192.0.2.11
    certificate:
      description: File with its certificate, or null.
      returned: always
      type: str
      sample: /etc/ssl/private/pure-ftpd.pem
    transfer_log:
      description: Its log of downloads when its format can be read (C(clf) or C(w3c)), else null.
      returned: always
      type: str
      sample: /var/log/pure-ftpd/transfer.log
    mysql_conf:
      description: File with its MySQL configuration; empty when there is none.
      returned: always
      type: str
      sample: /etc/pure-ftpd/db/mysql.conf
    database:
      description: Database that it queries at a login, or null.
      returned: always
      type: str
      sample: pureftpd
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.mysql_login import (
    LoginOptions,
    build_login_argument_spec,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.options import (
    build_table,
    build_table_argument_spec,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import TempoftpError
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.space import Need
from ansible_collections.lanot.tempoftp.plugins.module_utils._preflight.checks import (
    summarise,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._preflight.look import run_preflight
from ansible_collections.lanot.tempoftp.plugins.module_utils._preflight.options import PreflightOptions


def build_argument_spec() -> dict[str, dict[str, Any]]:
    """Return all options of the module."""
    return {
        "root": {"type": "path", "default": "/data", "no_log": False},
        "uid": {"type": "int", "default": 2001, "no_log": False},
        "gid": {"type": "int", "default": 2001, "no_log": False},
        "user": {"type": "str", "default": "pureftpd", "no_log": False},
        "group": {"type": "str", "default": "pureftpd", "no_log": False},
        "reserve_bytes": {"type": "int", "default": 0, "no_log": False},
        "reserve_inodes": {"type": "int", "default": 0, "no_log": False},
        "sources": {"type": "list", "elements": "dict", "default": [], "no_log": False},
        "control_time": {"type": "float", "no_log": False},
        "pureftpd_mysql_conf": {"type": "path", "no_log": False},
        **build_table_argument_spec(),
        **build_login_argument_spec(),
    }


def build_wanted(params: dict[str, Any]) -> PreflightOptions:
    """Translate the options."""
    return PreflightOptions(
        **{key: params[key] for key in ("root", "uid", "gid", "user", "group", "sources", "control_time")},
        table=build_table(params),
        login=LoginOptions(**{key: params[key] for key in LoginOptions._fields}),
        mysql_conf=params["pureftpd_mysql_conf"],
        reserve=Need(params["reserve_bytes"], params["reserve_inodes"]),
    )


def main() -> None:
    """Run the checks and return their results."""
    module = AnsibleModule(argument_spec=build_argument_spec(), supports_check_mode=True)
    try:
        checks, config = run_preflight(build_wanted(module.params))
    except TempoftpError as error:
        module.fail_json(msg=error.message, error=error.to_dict())
    module.exit_json(
        changed=False,
        checks=[check._asdict() for check in checks],
        summary=summarise(checks),
        pureftpd={
            "found": config.found,
            "tls": config.tls,
            "port": config.port,
            "address": config.address,
            "certificate": config.certificate,
            "transfer_log": config.transfer_log,
            "mysql_conf": config.mysql_conf,
            "database": config.mysql.get("mysqldatabase"),
        },
    )


if __name__ == "__main__":
    main()
