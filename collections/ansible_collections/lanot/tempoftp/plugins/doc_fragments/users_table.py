# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options about the users table of every module that reads or writes accounts."""

from __future__ import annotations


class ModuleDocFragment:
    """Included with ``extends_documentation_fragment: lanot.tempoftp.users_table``."""

    DOCUMENTATION = r"""
options:
  table:
    description: Name of the users table.
    type: str
    default: users
  columns:
    description:
      - What the columns of the users table are called, for a table that was there before. Upper and lower
        case do not matter.
    type: dict
    suboptions:
      name:
        description: Column of the account's name.
        type: str
        default: User
      password:
        description: Column of the password's hash.
        type: str
        default: Password
      uid:
        description: Column of the Uid, a number or a text.
        type: str
        default: Uid
      gid:
        description: Column of the Gid, a number or a text.
        type: str
        default: Gid
      home:
        description: Column of the home.
        type: str
        default: Dir
      status:
        description: Column of the status, a number or an V(ENUM('0','1'\)).
        type: str
        default: Status
      expires:
        description:
          - Column of the end (C(DATETIME), UTC). The table may lack it; access then ends when the account is
            removed.
        type: str
        default: Expires
  extra_columns:
    description:
      - What new rows get in other columns, for example a quota.
      - Needed for columns that are C(NOT NULL) and have no default. Rows that are there are never changed.
    type: dict
    default: {}
  pureftpd_mysql_conf:
    description:
      - MySQL configuration of Pure-FTPd. The option C(MYSQLCrypt) is read from it.
      - When unset, C(/etc/pure-ftpd/db/mysql.conf) (Debian) or C(/etc/pure-ftpd/pureftpd-mysql.conf) (RHEL family).
    type: path
"""
