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
  - Pure-FTPd logs an interrupted transfer like any other. A download is complete when its bytes are at least those of the file.
    The bytes of a file that was downloaded in pieces, by resuming or in parallel, are added up.
  - Only new lines of the log are read. The position in the log and the counts are stored below O(root), so the log may be rotated
    and compressed in any way. Rotated files beside the log are read where needed, uncompressed or as C(.gz), C(.bz2), C(.xz).
    The counts of a share are kept until it is removed.
options:
  root:
    description: The delivery root, as in M(lanot.tempoftp.tempoftp_share).
    type: str
    default: /data
  log:
    description:
      - Pure-FTPd's transfer log, C(AltLog) in its configuration. Its format must be C(w3c) or C(clf). In other formats the name of
        a file can look like a line of the log, or names are changed.
      - When unset, C(transfer_log) of C(/etc/tempoftp/server.json), else C(/var/log/pure-ftpd/transfer.log) or
        C(/var/log/pureftpd.log), whichever exists.
    type: str
  since:
    description:
      - Return only shares that have changed since this time (ISO 8601 UTC, like C(2030-01-31T12:00:00Z)).
      - Use RV(time) of the previous execution to get only what is new.
    type: str
  files_limit:
    description: How many names each list of a share contains at most. The numbers are always exact.
    type: int
    default: 1000
notes:
  - An aborted download of a small file may be logged as complete, since the kernel had taken the whole file from Pure-FTPd. It is
    then counted as complete.
  - In check mode nothing is stored, so the next execution reads the same lines again.
extends_documentation_fragment:
  - lanot.tempoftp.attributes
attributes:
  check_mode:
    support: full
    description: The module only stores its counts, and in check mode not even these.
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
    - The delivered and blocked shares. When a share is missing from the list, its downloads are not known; see RV(log).
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Name of the share.
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
      description: Transfers of some bytes that do not belong to a complete download.
      type: int
    files_total:
      description: Number of files of the share.
      type: int
    files_complete:
      description: Number of files that were downloaded completely at least once. Empty files count as downloaded.
      type: int
    never_fetched:
      description: Names of files of which nothing was ever downloaded.
      type: list
      elements: str
    never_fetched_total:
      description: How many files that are.
      type: int
    last_download:
      description: When the last download ended (ISO 8601 UTC), null when there was none.
      type: str
    files:
      description: The files that were downloaded, the latest first, at most O(files_limit).
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
          description: Partial downloads.
          type: int
        last:
          description: When the last one ended (ISO 8601 UTC).
          type: str
    files_fetched:
      description: How many files were downloaded, including those left out of RV(ignore:files).
      type: int
log:
  description: What was read of the log.
  returned: success
  type: dict
  contains:
    path:
      description: Path of the log.
      type: str
    lines:
      description: Number of new lines.
      type: int
    unknown_lines:
      description: Number of new lines that have no known format.
      type: int
    gap:
      description: Whether the position of the previous execution was no longer found, so that downloads may be missing.
      type: bool
    behind:
      description: Whether one execution could not read all new lines. RV(shares) is empty then.
      type: bool
    damaged:
      description: Rotated files that could not be unpacked completely.
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
    TransfersOptions,
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
        result = run_transfers(TransfersOptions(check_mode=module.check_mode, **module.params))
    except TempoftpError as error:
        module.fail_json(msg=error.message, error=error.to_dict())
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
