#!/usr/bin/python
# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the action plugin of the same name: step 6 of docs/dataflow.md."""

from __future__ import annotations

DOCUMENTATION = r"""
module: write_outcome
short_description: Write the results of a run into a file on the control host
version_added: 0.1.0
description:
  - Writes a dictionary as JSON into a file on the control host, in one step. Only the owner can read the file.
  - It runs on the control host only, since the managed host may be unreachable by then.
  - The task's result does not contain what was written.
author:
  - LANOT (@lanot)
extends_documentation_fragment:
  - lanot.tempoftp.attributes.control_host
options:
  path:
    description: Absolute path of the file on the control host. Its directory must exist.
    type: path
    required: true
  content:
    description: What to write.
    type: dict
    required: true
seealso:
  - module: lanot.tempoftp.tempoftp_ftpuser
  - module: lanot.tempoftp.tempoftp_share
"""

EXAMPLES = r"""
- name: Hand the results back
  lanot.tempoftp.write_outcome:
    path: "{{ outcome_file }}"
    content:
      schema: 1
      users: "{{ accounts.users }}"
  no_log: true
"""

RETURN = r"""
path:
  description: Path of the file.
  returned: always
  type: str
  sample: /var/lib/tempoftp/runs/01J8/outcome.json
"""
