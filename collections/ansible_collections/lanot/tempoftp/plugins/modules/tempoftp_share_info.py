#!/usr/bin/python
# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Step 7 of docs/dataflow.md: what an FTP host knows of its shares."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tempoftp_share_info
short_description: What an FTP host knows of its temporary shares
version_added: 0.2.0
author:
  - LANOT (@lanot)
description:
  - Reads manifests, tombstones, homes, staging, trash, units and mounts of an FTP host. Nothing is changed, and the host's lock is
    held no longer than one look takes.
  - A file that nobody can read is named in RV(damaged) and stops nothing.
extends_documentation_fragment:
  - lanot.tempoftp.attributes
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
  ids:
    description: Only the shares of these names. All of them when not given.
    type: list
    elements: str
  root:
    description: The delivery root, where the homes and the folder C(.tempoftp) are.
    type: path
    default: /data
seealso:
  - module: lanot.tempoftp.tempoftp_share
  - module: lanot.tempoftp.tempoftp_audit
"""

EXAMPLES = r"""
- name: What is shared
  lanot.tempoftp.tempoftp_share_info:
  register: found

- name: Say until when
  ansible.builtin.debug:
    msg: "{{ item.id }} of {{ item.ftpuser }} until {{ item.expires }}"
  loop: "{{ found.shares }}"
"""

RETURN = r"""
shares:
  description: The shares, also those on their way.
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
      description: V(copying), V(delivered), V(blocked), or V(absent) while it is being taken away.
      type: str
    ftpuser:
      description: Account that it is for.
      type: str
    origin:
      description: Whether tempoftp V(created) the home or V(adopted) it.
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
      description: Key towards the source.
      type: str
    size_probe:
      description: How its size is asked for.
      type: str
    local:
      description: Whether its source is on the FTP host itself.
      type: bool
    method:
      description: How it was to be delivered.
      type: str
    reuse:
      description: Whether it may share files with others of the same source.
      type: bool
    checksums:
      description: Whether it was to have C(SHA256SUMS).
      type: bool
    lifetime_days:
      description: Days it lives, counted from C(ready_at).
      type: int
    writable:
      description: Whether its recipient may write.
      type: bool
    created_at:
      description: When this host first heard of it.
      type: str
    delivered_at:
      description: When it was delivered.
      type: str
    ready_at:
      description: When its account could log in.
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
      description: Whether its copy runs.
      type: bool
    staged:
      description: Whether something of it is in staging.
      type: bool
    tombstone:
      description: Generation that ended, when a tombstone stands beside the manifest.
      type: int
tombstones:
  description: What the host remembers of shares that ended.
  returned: always
  type: list
  elements: dict
  sample: [{"id": "old", "generation": 2, "ended_at": "2030-01-31T12:00:00Z", "ftpuser": "ftp_x", "reason": "expired"}]
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
      description: V(created) for the home of an account of ours, V(adopted) for that of another one with shares of ours, else
        V(unknown).
      type: str
    shares:
      description: The shares that stand in it.
      type: list
      elements: str
    others:
      description: What else stands in a home of ours. Nothing is told of others' homes.
      type: list
      elements: str
staging:
  description: The shares of which something is in staging.
  returned: always
  type: list
  elements: str
held:
  description: The shares that are kept out of sight.
  returned: always
  type: list
  elements: str
libraries:
  description: The programs of this collection on the host, by their content.
  returned: always
  type: list
  elements: str
trash:
  description: What is being removed, or waits for it.
  returned: always
  type: list
  elements: str
  sample: [p1.1.1]
units:
  description: Units of this collection that run.
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
  description: What could not be looked at, and why.
  returned: always
  type: list
  elements: str
host:
  description: The FTP host, as M(lanot.tempoftp.tempoftp_share) returns it.
  returned: always
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.lanot.tempoftp.plugins.module_utils._audit.run import run_share_info
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import TempoftpError


def main() -> None:
    """Translate options, call, translate the result."""
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "default": "/data"},
            "ids": {"type": "list", "elements": "str"},
        },
        supports_check_mode=True,
    )
    try:
        result = run_share_info(module.params["root"], module.params["ids"])
    except TempoftpError as error:
        module.fail_json(msg=error.message, error=error.to_dict())
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
