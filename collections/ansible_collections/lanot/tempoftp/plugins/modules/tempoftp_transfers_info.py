#!/usr/bin/python

# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Step 7 of docs/dataflow.md: what was downloaded of the shares. The logic is in module_utils/_transfers/run.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tempoftp_transfers_info
short_description: Count the downloads of temporary shares
version_added: 0.2.0
author:
  - LANOT (@lanot)
description:
  - Reads Pure-FTPd's transfer log and counts, for each share on the host, complete and partial downloads of each file.
  - Pure-FTPd logs a transfer that was cut short like any other. A download is complete when its bytes are at least those of
    the file; what was fetched in pieces, by resuming or side by side, is summed.
  - Only what is new in the log is read. How far it was read and what was counted is kept below O(root), so the log may be
    rotated and compressed in any way; uncompressed and C(.gz), C(.bz2), C(.xz) files beside the log are read where needed.
    Counts are kept until their share is gone.
options:
  root:
    description: Folder of the homes, as in M(lanot.tempoftp.tempoftp_share).
    type: str
    default: /data
  log:
    description:
      - Pure-FTPd's transfer log, C(AltLog) in its configuration. Its format must be C(w3c) or C(clf). The others let the name
        of a file pass for a line, or change names.
      - When unset, C(transfer_log) of C(/etc/tempoftp/server.json), or what is there of C(/var/log/pure-ftpd/transfer.log) and
        C(/var/log/pureftpd.log).
    type: str
  since:
    description:
      - Leave out shares of which nothing has changed since then (ISO 8601 UTC, like C(2030-01-31T12:00:00Z)).
      - Give RV(time) of the execution before to learn of changes alone.
    type: str
  files_limit:
    description: How many names each list of a share has at most. The numbers are always exact.
    type: int
    default: 1000
notes:
  - An aborted download of a small file may be logged whole, since the kernel took all of it from Pure-FTPd. It then counts as
    complete.
  - In check mode nothing is kept, so the next execution reads the same again.
extends_documentation_fragment:
  - lanot.tempoftp.attributes
attributes:
  check_mode:
    support: full
    description: It changes nothing but what it has counted so far, and in check mode not even that.
  diff_mode:
    support: none
    description: It changes nothing.
seealso:
  - module: lanot.tempoftp.tempoftp_share
"""

EXAMPLES = r"""
- name: Which shares were fetched
  lanot.tempoftp.tempoftp_transfers_info:
  register: result

- name: What has changed since
  lanot.tempoftp.tempoftp_transfers_info:
    since: "{{ result.time }}"
    files_limit: 100
"""

RETURN = r"""
shares:
  description:
    - The shares that are delivered or blocked. A share that is not in the list is not known to have no downloads; see RV(log).
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The share.
      type: str
      sample: proyecto_real_1
    generation:
      description: Its generation on the host.
      type: int
      sample: 1
    complete:
      description: Complete downloads, over all files.
      type: int
    partial:
      description: Transfers of some bytes that are no part of a complete download.
      type: int
    files_total:
      description: Files of the share.
      type: int
    files_complete:
      description: Files that were fetched completely at least once. Empty files have nothing to fetch and count as fetched.
      type: int
    never_fetched:
      description: Names of files of which nothing was ever fetched.
      type: list
      elements: str
    never_fetched_total:
      description: How many they are.
      type: int
    last_download:
      description: When the last download ended (ISO 8601 UTC), null without any.
      type: str
    files:
      description: The files that were fetched, the latest first, at most O(files_limit).
      type: list
      elements: dict
      contains:
        name:
          description: Path below the share. Bytes that are no UTF-8 are shown as C(\\xNN).
          type: str
        complete:
          description: Complete downloads.
          type: int
        partial:
          description: Partial ones.
          type: int
        last:
          description: When the last one ended (ISO 8601 UTC).
          type: str
    files_fetched:
      description: How many files were fetched, the ones left out of RV(ignore:files) included.
      type: int
log:
  description: How the reading went.
  returned: success
  type: dict
  contains:
    path:
      description: The log.
      type: str
    lines:
      description: New lines.
      type: int
    unknown_lines:
      description: Those of them that have no shape of a known format.
      type: int
    gap:
      description: Whether the place of the earlier reading was gone, so that downloads may be missing.
      type: bool
    behind:
      description: Whether there is more to read than one execution does. RV(shares) is empty then.
      type: bool
    damaged:
      description: Rotated files that could not be unpacked to their end.
      type: list
      elements: str
    problem:
      description: Null, or why the log cannot be read and what to do. RV(shares) is empty then.
      type: str
time:
  description: When the reading began (ISO 8601 UTC).
  returned: success
  type: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import TempoftpError
from ansible_collections.lanot.tempoftp.plugins.module_utils._transfers.run import (
    DesiredShare,
    run_transfers,
)


def build_argument_spec() -> dict[str, dict[str, Any]]:
    """Return all options."""
    return {
        "root": {"type": "str", "default": "/data"},
        "log": {"type": "str"},
        "since": {"type": "str"},
        "files_limit": {"type": "int", "default": 1000},
    }


def main() -> None:
    """Translate options, call, translate the result."""
    module = AnsibleModule(argument_spec=build_argument_spec(), supports_check_mode=True)
    try:
        result = run_transfers(DesiredShare(check_mode=module.check_mode, **module.params))
    except TempoftpError as error:
        module.fail_json(msg=error.message, error=error.to_dict())
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
