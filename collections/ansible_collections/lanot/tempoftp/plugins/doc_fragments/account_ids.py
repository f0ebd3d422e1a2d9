# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options about the Uid and Gid of every module that plans or reads accounts."""

from __future__ import annotations


class ModuleDocFragment:
    """Included with ``extends_documentation_fragment: lanot.tempoftp.account_ids``."""

    DOCUMENTATION = r"""
options:
  default_uid:
    description: Uid of accounts for which no other one is given.
    type: int
    default: 2001
  default_gid:
    description: Gid of accounts for which no other one is given.
    type: int
    default: 2001
  min_uid:
    description: Lowest Uid and Gid that an account may have. Lower ones belong to the system.
    type: int
    default: 1000
"""
