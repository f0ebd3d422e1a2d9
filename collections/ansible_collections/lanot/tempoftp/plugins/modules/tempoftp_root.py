#!/usr/bin/python
# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Marks the delivery root, so that an empty folder in the place of its disk is noticed. See module_utils/_host/root.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tempoftp_root
short_description: Mark the delivery root of an FTP host
version_added: 0.3.0
author:
  - LANOT (@lanot)
description:
  - Writes a random id into C(.tempoftp/root.json) below the delivery root, unless one is there, and returns it. The role ftp_server
    writes the same id into C(/etc/tempoftp/server.json).
  - Every other module compares the two. Without equal ids they answer the error C(root_missing) and change nothing, since the disk is
    not mounted then, or it is another one.
  - It fails when the host has recorded an id for this root, and the marker below it is missing or another one. So a run of the role
    never sets up the folder below the mount point of a disk that is away.
extends_documentation_fragment:
  - lanot.tempoftp.attributes
  - lanot.tempoftp.delivery_root
attributes:
  diff_mode:
    support: none
    details: An id says nothing to a person.
options:
  new:
    description:
      - Accept the disk that is there now, although the host has recorded another one. The shares of the other disk are lost to this
        host.
    type: bool
    default: false
seealso:
  - module: lanot.tempoftp.tempoftp_share
"""

EXAMPLES = r"""
- name: Mark the delivery root
  lanot.tempoftp.tempoftp_root:
    root: /data
  register: marked
"""

RETURN = r"""
id:
  description: The id in the marker. In check mode, for a root without a marker, one that is not used.
  returned: success
  type: str
  sample: 0123456789abcdef0123456789abcdef
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import TempoftpError
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.root import establish_root


def build_argument_spec() -> dict[str, dict[str, Any]]:
    """Return all options of the module."""
    return {
        "root": {"type": "path", "default": "/data"},
        "new": {"type": "bool", "default": False, "no_log": False},
    }


def main() -> None:
    """Translate options, call, translate the result."""
    module = AnsibleModule(argument_spec=build_argument_spec(), supports_check_mode=True)
    try:
        established = establish_root(Path(module.params["root"]), module.params["new"], module.check_mode)
    except TempoftpError as error:
        module.fail_json(msg=error.message, error=error.to_dict())
    except OSError as error:
        module.fail_json(msg=f"the marker could not be written: {error}")
    module.exit_json(changed=established.written, id=established.id)


if __name__ == "__main__":
    main()
