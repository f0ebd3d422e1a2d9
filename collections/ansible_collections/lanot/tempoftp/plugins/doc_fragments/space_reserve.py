# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options about free space of every module that asks whether a share fits."""

from __future__ import annotations


class ModuleDocFragment:
    """Included with ``extends_documentation_fragment: lanot.tempoftp.space_reserve``."""

    DOCUMENTATION = r"""
options:
  reserve_bytes:
    description: How many bytes of the filesystem always stay free.
    type: int
    default: 0
  reserve_inodes:
    description: How many inodes of the filesystem always stay free.
    type: int
    default: 0
"""
