#!/usr/bin/python
# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Step 7 of docs/dataflow.md: what an FTP host knows of its shares."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tempoftp_share_info
short_description: Read the temporary shares of an FTP host
version_added: 0.2.0
author:
  - LANOT (@lanot)
description:
  - Reads manifests, tombstones, homes, staging, trash, units and mounts of an FTP host. It changes nothing. It holds the host's
    lock only while it reads.
  - A file that cannot be read is named in RV(damaged). The other files are read all the same.
extends_documentation_fragment:
  - lanot.tempoftp.attributes.read_only
  - lanot.tempoftp.delivery_root
options:
  ids:
    description: Names of the shares to return. When unset, all of them.
    type: list
    elements: str
seealso:
  - module: lanot.tempoftp.tempoftp_share
  - module: lanot.tempoftp.tempoftp_audit
"""

EXAMPLES = r"""
- name: List the shares
  lanot.tempoftp.tempoftp_share_info:
  register: found

- name: Show when they end
  ansible.builtin.debug:
    msg: "{{ item.id }} of {{ item.ftpuser }} until {{ item.expires }}"
  loop: "{{ found.shares }}"
"""

RETURN = r"""
shares:
  description: The shares, also those that are still being copied.
  returned: always
  type: list
  elements: dict
  contains:
    id:
      description: Name of the share.
      type: str
    generation:
      description: Generation that the host knows.
      type: int
    state:
      description: V(copying), V(delivered), V(blocked), or V(absent) while it is being removed.
      type: str
    ftpuser:
      description: Account of the share.
      type: str
    origin:
      description: Whether tempoftp V(created) the home or V(adopted) it.
      type: str
    managed_by:
      description:
        - Who manages the share, the V(service) or an V(operator) who delivered it without the service. V(service) also for a share
          of a release that did not write it down.
      type: str
    path:
      description: Where it is, or will be, delivered.
      type: str
    source:
      description: Where it comes from.
      type: str
    source_root:
      description: Folder to which the source's key is restricted.
      type: str
    ssh_user:
      description: Login name on the source.
      type: str
    ssh_key_file:
      description: Private key for the source.
      type: str
    size_probe:
      description: How its size is measured.
      type: str
    local:
      description: Whether its source is on the FTP host itself.
      type: bool
    method:
      description: How its data should be delivered, as it was requested.
      type: str
    reuse:
      description: Whether it may share unchanged files with other shares of the same source.
      type: bool
    checksums:
      description: Whether C(SHA256SUMS) was requested.
      type: bool
    lifetime_days:
      description: For how many days the share lives, counted from C(ready_at).
      type: int
    writable:
      description: Whether its account may change it.
      type: bool
    created_at:
      description: When its manifest was first written on this host.
      type: str
    delivered_at:
      description: When it was delivered.
      type: str
    ready_at:
      description: When the share became ready, that is when its account could log in.
      type: str
    expires:
      description: When it ends.
      type: str
    bytes_total:
      description: Its size in bytes.
      type: int
    files_total:
      description: How many files it has.
      type: int
    skipped_total:
      description: How many entries of the source were left out.
      type: int
    copying:
      description: Whether it is being copied now.
      type: bool
    staged:
      description: Whether it has data in staging.
      type: bool
    tombstone:
      description: Generation that ended, when there is a tombstone beside the manifest.
      type: int
tombstones:
  description: The tombstones of shares that ended.
  returned: always
  type: list
  elements: dict
  sample:
    - {"id": "old", "generation": 2, "ended_at": "2030-01-31T12:00:00Z", "ftpuser": "ftp_x", "reason": "expired", "managed_by": "service"}
damaged:
  description: Files under C(.tempoftp) that cannot be read.
  returned: always
  type: list
  elements: str
  sample: [shares/p1.json]
homes:
  description: The folders right below the root.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the folder.
      type: str
    kind:
      description: V(directory), or V(link).
      type: str
    uid:
      description: Its owner.
      type: int
    gid:
      description: Its group.
      type: int
    mode:
      description: Its mode, octal.
      type: str
    origin:
      description: V(created) when tempoftp made the home, V(adopted) when it was there before and contains shares, else
        V(unknown).
      type: str
    shares:
      description: The shares in it.
      type: list
      elements: str
    others:
      description: What else is in a home that tempoftp made. Other homes are not listed.
      type: list
      elements: str
staging:
  description: The shares that have data in staging.
  returned: always
  type: list
  elements: str
held:
  description: The blocked shares, which are kept out of their homes.
  returned: always
  type: list
  elements: str
libraries:
  description: The programs of this collection on the host, named by a hash of their content.
  returned: always
  type: list
  elements: str
trash:
  description: What is being removed, or waits to be removed.
  returned: always
  type: list
  elements: str
  sample: [p1.1.1]
units:
  description: The running units of this collection.
  returned: always
  type: list
  elements: str
  sample: [tempoftp-copy-p1]
mounts:
  description: Mount points below the root.
  returned: always
  type: list
  elements: str
problems:
  description: What could not be read, and why.
  returned: always
  type: list
  elements: str
host:
  description: The FTP host, as M(lanot.tempoftp.tempoftp_share) returns it.
  returned: always
  type: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.lanot.tempoftp.plugins.module_utils._audit.run import run_share_info
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import TempoftpError


def build_argument_spec() -> dict[str, dict[str, Any]]:
    """Return all options of the module."""
    return {"root": {"type": "path", "default": "/data"}, "ids": {"type": "list", "elements": "str"}}


def main() -> None:
    """Translate options, call, translate the result."""
    module = AnsibleModule(argument_spec=build_argument_spec(), supports_check_mode=True)
    try:
        result = run_share_info(module.params["root"], module.params["ids"])
    except TempoftpError as error:
        module.fail_json(msg=error.message, error=error.to_dict())
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
