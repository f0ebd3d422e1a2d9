#!/usr/bin/python

# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What fits on a source host and what does not, for playbooks/preflight.yml."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tempoftp_source_host_info
short_description: Check whether a host meets the requirements of a source host
version_added: 0.3.0
description:
  - Checks a host that is, or will become, a source host of tempoftp. It looks at rsync and rrsync, the user as whom data is read, the
    roots and whether this user can list them, and whether sshd would let the user in by a key.
  - It asks C(sshd -T) how it treats the user, and so knows its included files and C(Match) blocks.
  - It changes nothing. It needs root.
author:
  - LANOT (@lanot)
extends_documentation_fragment:
  - lanot.tempoftp.attributes.read_only
options:
  name:
    description: Which entry of O(sources) this host is.
    type: str
    required: true
  sources:
    description: The sources, in the form of C(tempoftp_sources) in the inventory.
    type: list
    elements: dict
    default: []
  ftp_addresses:
    description:
      - Addresses from which the FTP hosts come. Other words than addresses are ignored. C(Match) blocks and lists of sshd that depend on
        an address are only judged with them.
    type: list
    elements: str
    default: []
  create_roots:
    description: Whether the role P(lanot.tempoftp.source_host#role) makes missing roots (C(source_host_create_roots)).
    type: bool
    default: false
seealso:
  - module: lanot.tempoftp.tempoftp_preflight_info
"""

EXAMPLES = r"""
- name: Check a source host
  lanot.tempoftp.tempoftp_source_host_info:
    name: "{{ inventory_hostname }}"
    sources: "{{ tempoftp_sources }}"
    ftp_addresses: [192.0.2.11]
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
      sample: authorized_keys
    status:
      description: V(ok), V(warn) (C(site.yml) mends it, or it could not be looked at) or V(fail) (it does not work).
      returned: always
      type: str
      sample: fail
    what:
      description: What was found.
      returned: always
      type: str
      sample: sshd reads the keys of lanotadm from /etc/ssh/keys/%u
    todo:
      description: What to do. Empty when the status is V(ok).
      returned: always
      type: str
summary:
  description: How many checks have each status.
  returned: always
  type: dict
  sample: {ok: 5, warn: 1, fail: 1}
"""

import ipaddress
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import TempoftpError
from ansible_collections.lanot.tempoftp.plugins.module_utils._preflight.checks import summarise
from ansible_collections.lanot.tempoftp.plugins.module_utils._preflight.source_host import (
    SourceHostOptions,
    run_source_host,
)


def build_argument_spec() -> dict[str, dict[str, Any]]:
    """Return all options of the module."""
    return {
        "name": {"type": "str", "required": True},
        "sources": {"type": "list", "elements": "dict", "default": [], "no_log": False},
        "ftp_addresses": {"type": "list", "elements": "str", "default": []},
        "create_roots": {"type": "bool", "default": False},
    }


def is_address(text: str) -> bool:
    """Whether *text* is an address, and no name."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def main() -> None:
    """Run the checks and return their results."""
    module = AnsibleModule(argument_spec=build_argument_spec(), supports_check_mode=True)
    params = module.params
    addresses = [text for text in params["ftp_addresses"] if is_address(text)]
    try:
        checks = run_source_host(
            SourceHostOptions(params["name"], params["sources"], addresses, params["create_roots"])
        )
    except TempoftpError as error:
        module.fail_json(msg=error.message, error=error.to_dict())
    module.exit_json(changed=False, checks=[check._asdict() for check in checks], summary=summarise(checks))


if __name__ == "__main__":
    main()
