# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every module of this collection supports."""

from __future__ import annotations


class ModuleDocFragment:
    """Included with ``extends_documentation_fragment: lanot.tempoftp.attributes``.

    Modules that only read include ``lanot.tempoftp.attributes.read_only`` in its place, and action plugins that run on
    the control host ``lanot.tempoftp.attributes.control_host``.
    """

    DOCUMENTATION = r"""
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status prediction without modifying the target.
  diff_mode:
    support: full
    description: Returns details on what has changed (or would change in check mode).
  platform:
    support: full
    platforms: posix
    description: Target OS/families that can be operated against.
options: {}
"""

    READ_ONLY = r"""
attributes:
  check_mode:
    support: full
    description: The module changes nothing, so check mode makes no difference.
  diff_mode:
    support: none
    description: The module changes nothing.
  idempotent:
    support: full
    description: The module changes nothing.
  platform:
    support: full
    platforms: posix
    description: Target OS/families that can be operated against.
options: {}
"""

    CONTROL_HOST = r"""
attributes:
  action:
    support: full
    description: This has a corresponding action plugin, so it runs on the control host.
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status prediction without modifying the target.
  diff_mode:
    support: none
    description: Returns no details on what has changed.
options: {}
"""
