# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that say how a source is reached."""

from __future__ import annotations


class ModuleDocFragment:
    """Included with ``extends_documentation_fragment: lanot.tempoftp.source_access``."""

    DOCUMENTATION = r"""
options:
  source_root:
    description:
      - The folder on the source to which O(ssh_key_file) is restricted there by C(rrsync -ro).
      - Paths are sent relative to it. O(source) must lie below it.
      - When unset, the key is not restricted.
    type: str
  ssh_user:
    description:
      - Login name on the source. A user in O(source) must be the same.
      - For a O(local) source, the user of this host as whom it is read. This user must exist.
    type: str
    default: lanotadm
  ssh_key_file:
    description: Private key on the FTP host. When unset, ssh finds one by its configuration.
    type: str
  ssh_config_file:
    description: ssh configuration on the FTP host. When unset, C(/etc/tempoftp/ssh_config) if it exists.
    type: str
  ssh_known_hosts_file:
    description:
      - Host keys of the sources. When unset, C(/etc/tempoftp/known_hosts) if it exists.
      - An unknown or changed host key is an error. Keys are never learned.
    type: str
  local:
    description:
      - Whether the source is on the FTP host itself. It is then read without ssh, as the user O(ssh_user) and never
        as root. The host in O(source) is then only a name.
      - A source is refused when it is O(root), contains O(root) or lies in it.
    type: bool
    default: false
"""
