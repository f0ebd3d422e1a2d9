# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option ``root`` of every module that reads or changes the shares of an FTP host."""

from __future__ import annotations


class ModuleDocFragment:
    """Included with ``extends_documentation_fragment: lanot.tempoftp.delivery_root``."""

    DOCUMENTATION = r"""
options:
  root:
    description:
      - The delivery root. It contains the homes of the accounts, and the state of tempoftp in C(.tempoftp).
      - It belongs to root.
    type: path
    default: /data
"""
