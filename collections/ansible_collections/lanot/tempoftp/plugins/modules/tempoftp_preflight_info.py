#!/usr/bin/python

# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What fits on an FTP host and what does not, for playbooks/preflight.yml."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tempoftp_preflight_info
short_description: What fits on an FTP host and what does not
version_added: 0.1.0
description:
  - Looks at a host that is, or is to become, an FTP host of tempoftp - programs and versions, uid and gid, the
    delivery root, space, the users table, how Pure-FTPd is configured and what it asks at a login, the sources with
    their keys, the clocks.
  - It only reads, on the host and on the sources. It needs root.
author:
  - LANOT (@lanot)
extends_documentation_fragment:
  - lanot.tempoftp.mysql_login
  - lanot.tempoftp.users_table
attributes:
  check_mode:
    support: full
    description: It never changes anything.
  diff_mode:
    support: none
    description: It never changes anything.
  platform:
    support: full
    platforms: posix
    description: Target OS/families that can be operated against.
options:
  root:
    description: Delivery root.
    type: path
    default: /data
  uid:
    description: Uid of FTP accounts.
    type: int
    default: 2001
  gid:
    description: Gid of FTP accounts.
    type: int
    default: 2001
  user:
    description: System user that should have O(uid).
    type: str
    default: pureftpd
  group:
    description: Group that should have O(gid).
    type: str
    default: pureftpd
  reserve_bytes:
    description: Bytes that must stay free.
    type: int
    default: 0
  reserve_inodes:
    description: Inodes that must stay free.
    type: int
    default: 0
  sources:
    description: The sources, as the inventory's C(tempoftp_sources) has them.
    type: list
    elements: dict
    default: []
  control_time:
    description: Time on the control host in seconds since the epoch; the host's clock is compared with it.
    type: float
  pureftpd_mysql_conf:
    description: MySQL configuration of Pure-FTPd, when it is at no usual place.
    type: path
seealso:
  - module: lanot.tempoftp.tempoftp_ftpuser
  - module: lanot.tempoftp.tempoftp_share
"""

EXAMPLES = r"""
- name: Look at an FTP host
  lanot.tempoftp.tempoftp_preflight_info:
    root: /data
    sources: "{{ tempoftp_sources }}"
    control_time: "{{ now(utc=true).timestamp() }}"
  register: preflight

- name: Say what does not fit
  ansible.builtin.debug:
    msg: "{{ preflight.checks | rejectattr('status', 'eq', 'ok') }}"
"""

RETURN = r"""
checks:
  description: One entry for each thing that was looked at.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: What was looked at.
      returned: always
      type: str
      sample: login_query_expires
    status:
      description: V(ok), V(warn) (it works, but not as well) or V(fail) (it does not work).
      returned: always
      type: str
      sample: warn
    what:
      description: What is there.
      returned: always
      type: str
      sample: the table has no column for the end of an account
    todo:
      description: What to do about it; empty with V(ok).
      returned: always
      type: str
summary:
  description: How many checks have each status.
  returned: always
  type: dict
  sample: {ok: 20, warn: 2, fail: 0}
pureftpd:
  description: How Pure-FTPd is configured here, whoever did it.
  returned: always
  type: dict
  contains:
    found:
      description: Whether there is a configuration at all.
      returned: always
      type: bool
    tls:
      description: Its C(TLS), 0 to 3.
      returned: always
      type: int
      sample: 3
    port:
      description: Port of the control connection.
      returned: always
      type: int
      sample: 21
    certificate:
      description: File with its certificate, or none.
      returned: always
      type: str
      sample: /etc/ssl/private/pure-ftpd.pem
    transfer_log:
      description: Its log of downloads, when it is one that can be read (C(clf)), or none.
      returned: always
      type: str
      sample: /var/log/pure-ftpd/transfer.log
    mysql_conf:
      description: File with its MySQL configuration; empty when there is none.
      returned: always
      type: str
      sample: /etc/pure-ftpd/db/mysql.conf
    database:
      description: Database it asks at a login, or none.
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
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.table_options import (
    build_table,
    build_table_argument_spec,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import TempoftpError
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.space import Need
from ansible_collections.lanot.tempoftp.plugins.module_utils._preflight.look import (
    DesiredState,
    run_preflight,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._preflight.preflight import (
    summarise,
)


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


def build_wanted(params: dict[str, Any]) -> DesiredState:
    """Translate the options."""
    return DesiredState(
        **{key: params[key] for key in ("root", "uid", "gid", "user", "group", "sources", "control_time")},
        table=build_table(params),
        login=LoginOptions(**{key: params[key] for key in LoginOptions._fields}),
        mysql_conf=params["pureftpd_mysql_conf"],
        reserve=Need(params["reserve_bytes"], params["reserve_inodes"]),
    )


def main() -> None:
    """Look, and report."""
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
            "certificate": config.certificate,
            "transfer_log": config.download_log[1] if config.download_log[0] == "clf" else None,
            "mysql_conf": config.mysql_conf,
            "database": config.mysql.get("mysqldatabase"),
        },
    )


if __name__ == "__main__":
    main()
