#!/usr/bin/python

# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Step 7 of docs/dataflow.md: how much a source has, and whether it fits. The logic is in module_utils/_copy/source_run.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tempoftp_source_info
short_description: Measure a source before it is shared
version_added: 0.2.0
author:
  - LANOT (@lanot)
description:
  - Says how many bytes and files a source has, what of it would be left out, and whether it fits on the FTP host, by the same
    probe as M(lanot.tempoftp.tempoftp_share) makes before it copies.
  - It reserves nothing and writes no share. What is free may be another's a moment later.
  - Only source hosts that somebody configured are reached. The host is named in full in a C(Host) line of the ssh configuration,
    or has a key in the known hosts; anything else is V(invalid) before any connection is made.
options:
  source:
    description:
      - C(host:/path) or C(user@host:/path), as in M(lanot.tempoftp.tempoftp_share).
      - Exactly one of O(source) and O(sources) is given.
    type: str
  source_root:
    description: The folder on the source to which O(ssh_key_file) is restricted there by C(rrsync -ro). O(source) must lie below it.
    type: str
  ssh_user:
    description:
      - Login name on the source. A user in O(source) must be the same.
      - Of a O(local) source, the user of this host as whom it is read.
    type: str
    default: lanotadm
  ssh_key_file:
    description: Private key on the FTP host. When unset, ssh finds one by its configuration.
    type: str
  ssh_config_file:
    description: ssh configuration on the FTP host. When unset, C(/etc/tempoftp/ssh_config) if it exists.
    type: str
  ssh_known_hosts_file:
    description: Host keys of the sources. When unset, C(/etc/tempoftp/known_hosts) if it exists.
    type: str
  size_probe:
    description:
      - V(rsync) measures by an itemized dry run into an empty folder.
      - V(du) asks C(du -sb) as well, which needs a shell on the source; the larger size counts.
    type: str
    choices: [rsync, du]
    default: rsync
  method:
    description:
      - How the data would be delivered. V(bind) takes no room, and V(reflink) none for the data.
      - With V(auto), and with C(reuse) of M(lanot.tempoftp.tempoftp_share), a share may take less than is said here.
    type: str
    choices: [auto, rsync, copy, reflink, bind]
    default: auto
  local:
    description: The source is on the FTP host itself. It is read without ssh, as the user O(ssh_user) and never as root.
    type: bool
    default: false
  sources:
    description:
      - A list of sources, measured side by side in one execution. Each is a dictionary of O(source), O(source_root), O(ssh_user),
        O(ssh_key_file), O(ssh_config_file), O(ssh_known_hosts_file), O(size_probe), O(method) and O(local), which mean the same
        as the options.
      - The task does not fail for one of them, not even for one with wrong keys or types; each result has its own error.
      - An empty list only reports RV(host).
    type: list
    elements: dict
  root:
    description: Folder of the homes, as in M(lanot.tempoftp.tempoftp_share).
    type: str
    default: /data
  reserve_bytes:
    description: How many bytes of the filesystem always stay free.
    type: int
    default: 0
  reserve_inodes:
    description: How many inodes of the filesystem always stay free.
    type: int
    default: 0
  time_limit:
    description:
      - Seconds for all sources of one execution together. What is not known then is told as RV(sources[].timed_out), with what
        was counted so far.
    type: int
    default: 30
  max_probes:
    description:
      - How many sources are measured at once on this host, by all executions together. The others wait within their
        O(time_limit).
    type: int
    default: 2
requirements:
  - rsync (3.2.4 or newer) and the OpenSSH client on the FTP host
  - setpriv (util-linux) for O(local)
extends_documentation_fragment:
  - lanot.tempoftp.attributes
attributes:
  check_mode:
    support: full
    description: It changes nothing.
  diff_mode:
    support: none
    description: It changes nothing.
seealso:
  - module: lanot.tempoftp.tempoftp_share
"""

EXAMPLES = r"""
- name: How much is it, and does it fit
  lanot.tempoftp.tempoftp_source_info:
    source: lanotadm@source1:/srv/datos/goes
    source_root: /srv/datos
    ssh_key_file: /etc/tempoftp/ssh/source1-datos
    reserve_bytes: 10000000000
  register: result

- name: Two at once, for no longer than ten seconds
  lanot.tempoftp.tempoftp_source_info:
    sources:
      - source: lanotadm@source1:/srv/datos/goes
        source_root: /srv/datos
      - source: here:/srv/archivo/2024
        local: true
        method: bind
    time_limit: 10
"""

RETURN = r"""
sources:
  description: One result for each source, in their order; in single form, one.
  returned: success
  type: list
  elements: dict
  contains:
    source:
      description: The source, as it was given.
      type: str
      sample: lanotadm@source1:/srv/datos/goes
    timed_out:
      description: Whether time was up before all of it was counted. The numbers are then what was counted so far, or null.
      type: bool
    bytes:
      description: Size in bytes, as a share of it would say; null when it is not known.
      type: int
    files:
      description: Number of files.
      type: int
    entries:
      description: Number of files, folders and links, left-out ones included.
      type: int
    skipped:
      description: What would be left out, at most 50 names. Unsafe links and what is no regular file.
      type: list
      elements: str
      sample: ["link -> /etc/passwd (unsafe link)"]
    skipped_total:
      description: How many would be left out.
      type: int
    need_bytes:
      description: Bytes that a copy takes at most; every entry may waste a block of the filesystem.
      type: int
    need_inodes:
      description: Inodes that it takes.
      type: int
    fits:
      description:
        - Whether that is free now, less the reserve, less what running copies will still take.
        - Null when that is not known. What was not counted to its end is V(false) or null, never V(true).
      type: bool
    shortage:
      description:
        - Null, or why it does not fit, like RV(sources[].error). V(no_space) and V(no_inodes) may pass, V(too_large) does not fit
          on an empty disk either.
      type: dict
    error:
      description: Null, or why it could not be measured.
      type: dict
      contains:
        class:
          description: One of the classes of docs/dataflow.md.
          type: str
          sample: source_not_found
        message:
          description: What, where, and what to do.
          type: str
        transient:
          description: Whether it may pass by itself.
          type: bool
host:
  description: The FTP host, as it was at the end.
  returned: success
  type: dict
  contains:
    space_total:
      description: Bytes of the filesystem.
      type: int
    space_free:
      description: Bytes that are free.
      type: int
    space_held:
      description: Bytes that running copies will still take.
      type: int
    space_available:
      description: Bytes that a new share may take.
      type: int
    inodes_free:
      description: Inodes that are free.
      type: int
    inodes_available:
      description: Inodes that a new share may take, null where the filesystem has no fixed number.
      type: int
    time:
      description: The host's clock (ISO 8601 UTC).
      type: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.source_run import (
    Item,
    run_source_info,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import (
    InvalidValueError,
    Refused,
    TempoftpError,
)


def build_source_spec() -> dict[str, dict[str, Any]]:
    """Return the options of one source."""
    return {
        "source": {"type": "str"},
        "source_root": {"type": "str"},
        "ssh_user": {"type": "str", "default": "lanotadm"},
        "ssh_key_file": {"type": "str", "no_log": False},
        "ssh_config_file": {"type": "str"},
        "ssh_known_hosts_file": {"type": "str"},
        "size_probe": {"type": "str", "choices": ["rsync", "du"], "default": "rsync"},
        "method": {
            "type": "str",
            "choices": ["auto", "rsync", "copy", "reflink", "bind"],
            "default": "auto",
        },
        "local": {"type": "bool", "default": False},
    }


def build_argument_spec() -> dict[str, dict[str, Any]]:
    """Return all options."""
    return {
        **build_source_spec(),
        "sources": {"type": "list", "elements": "dict"},
        "root": {"type": "str", "default": "/data"},
        "reserve_bytes": {"type": "int", "default": 0},
        "reserve_inodes": {"type": "int", "default": 0},
        "time_limit": {"type": "int", "default": 30},
        "max_probes": {"type": "int", "default": 2},
    }


def parse_item(validator: ArgumentSpecValidator, values: dict[str, Any]) -> Item:
    """Check one item of ``sources`` by itself, so that a wrong one does not fail the others."""
    checked = validator.validate(values)
    if checked.error_messages:
        return Refused(values.get("source"), InvalidValueError("; ".join(checked.error_messages)))
    return checked.validated_parameters


def main() -> None:
    """Translate options, call, translate the results."""
    module = AnsibleModule(
        argument_spec=build_argument_spec(),
        supports_check_mode=True,
        mutually_exclusive=[("source", "sources")],
        required_one_of=[("source", "sources")],
    )
    items: list[Item] = [module.params]
    if module.params["sources"] is not None:
        validator = ArgumentSpecValidator(build_source_spec())
        items = [parse_item(validator, values) for values in module.params["sources"]]
    try:
        result = run_source_info(items, module.params)
    except TempoftpError as error:
        module.fail_json(msg=error.message, error=error.to_dict())
    error_of_one = result["sources"][0]["error"] if module.params["sources"] is None else None
    if error_of_one is not None:
        module.fail_json(msg=error_of_one["message"], **result)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
