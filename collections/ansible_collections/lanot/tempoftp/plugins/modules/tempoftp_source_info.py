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
  - Reports how many bytes and files a source has, which entries would be left out, and whether it fits on the FTP host. It uses
    the same dry run as M(lanot.tempoftp.tempoftp_share) before a copy.
  - It reserves nothing and writes no share. Another share may take the free space a moment later.
  - Only configured source hosts are contacted. A host is configured when a C(Host) line of the ssh configuration names it in full,
    or when it has a key in the known hosts. Any other host is refused as V(invalid) before a connection is made.
options:
  source:
    description:
      - C(host:/path) or C(user@host:/path), as in M(lanot.tempoftp.tempoftp_share).
      - Exactly one of O(source) and O(sources) is given.
    type: str
  size_probe:
    description:
      - V(rsync) measures by an itemized dry run into an empty folder.
      - V(du) also runs C(du -sb), which needs a shell on the source. The larger size counts.
    type: str
    choices: [rsync, du]
    default: rsync
  method:
    description:
      - How the data would be delivered. V(bind) needs no space, and V(reflink) needs none for the data.
      - With V(auto), and with C(reuse) of M(lanot.tempoftp.tempoftp_share), a share may need less space than is reported here.
    type: str
    choices: [auto, rsync, copy, reflink, bind]
    default: auto
  sources:
    description:
      - A list of sources, measured side by side in one execution. Each is a dictionary of O(source), O(source_root), O(ssh_user),
        O(ssh_key_file), O(ssh_config_file), O(ssh_known_hosts_file), O(size_probe), O(method) and O(local), which mean the same
        as the options.
      - The task does not fail when one of them fails, even when one has wrong keys or types. Each result has its own error.
      - With an empty list, only RV(host) is reported.
    type: list
    elements: dict
  root:
    description: The delivery root, as in M(lanot.tempoftp.tempoftp_share).
    type: str
    default: /data
  time_limit:
    description:
      - Seconds for all sources of one execution together. A source that is not measured by then is reported with
        RV(sources[].timed_out) and the numbers that were counted so far.
    type: int
    default: 30
  max_probes:
    description:
      - How many sources are measured at once on this host, by all executions together. The others wait, and the wait counts for
        their O(time_limit).
    type: int
    default: 2
requirements:
  - rsync (3.2.3 or newer) and the OpenSSH client on the FTP host
  - setpriv (util-linux) for O(local)
extends_documentation_fragment:
  - lanot.tempoftp.attributes.read_only
  - lanot.tempoftp.source_access
  - lanot.tempoftp.space_reserve
seealso:
  - module: lanot.tempoftp.tempoftp_share
"""

EXAMPLES = r"""
- name: Measure a source, and see whether it fits
  lanot.tempoftp.tempoftp_source_info:
    source: lanotadm@source1:/srv/datos/goes
    source_root: /srv/datos
    ssh_key_file: /etc/tempoftp/ssh/source1-datos
    reserve_bytes: 10000000000
  register: result

- name: Measure two sources at once, for no longer than ten seconds
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
      description: Whether the time was up before everything was counted. The numbers are then those so far, or null.
      type: bool
    bytes:
      description: Size in bytes, as a share of this source would report it. Null when it is not known.
      type: int
    files:
      description: Number of files.
      type: int
    entries:
      description: Number of files, folders and links, including those that would be left out.
      type: int
    skipped:
      description: Names of entries that would be left out, at most 50. These are unsafe links and entries that are no regular files.
      type: list
      elements: str
      sample: ["link -> /etc/passwd (unsafe link)"]
    skipped_total:
      description: How many entries would be left out.
      type: int
    need_bytes:
      description: Bytes that a copy needs at most. Every entry may waste a block of the filesystem.
      type: int
    need_inodes:
      description: Inodes that a copy needs.
      type: int
    fits:
      description:
        - Whether that much is free now, after the reserve and the space that running copies still need are subtracted.
        - Null when that is not known. For a source that was not counted to its end it is V(false) or null, never V(true).
      type: bool
    shortage:
      description:
        - Null, or why it does not fit, like RV(sources[].error). V(no_space) and V(no_inodes) are transient. With V(too_large) it
          would not fit on an empty disk either.
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
          description: What happened, where, and what to do next.
          type: str
        transient:
          description: Whether it may succeed later without anybody acting.
          type: bool
host:
  description: Facts of the FTP host at the end of the execution.
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
      description: Bytes that running copies still need.
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
