# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ``login_*`` options of every module that talks to the accounts' database."""

from __future__ import annotations


class ModuleDocFragment:
    """Included with ``extends_documentation_fragment: lanot.tempoftp.mysql_login``."""

    DOCUMENTATION = r"""
options:
  login_config_file:
    description:
      - MySQL option file on the host that runs the module.
      - Of its C([client]) group C(user), C(password), C(database), C(host), C(port), C(socket), C(ssl-ca),
        C(ssl-cert) and
        C(ssl-key) are read.
      - An option given to the module wins over this file.
      - The file must exist unless O(login_user) is given.
      - C(host=localhost) is TCP here; name C(socket) for a unix socket.
    type: path
    default: /etc/tempoftp/mysql.cnf
  login_host:
    description:
      - Host of the database server, as seen from the host that runs the module.
      - With it, the file's C(socket) is not used.
    type: str
  login_port:
    description: TCP port of the database server. C(3306) when neither this nor the file names one.
    type: int
  login_user:
    description:
      - User that logs in.
      - It needs C(SELECT), C(INSERT), C(UPDATE) and C(DELETE) on the users table, and nothing else.
    type: str
  login_password:
    description:
      - Password of O(login_user).
      - Better kept in O(login_config_file) on the FTP host, so that it never travels.
    type: str
  login_db:
    description: Database that holds the users table.
    type: str
  login_unix_socket:
    description: Unix socket of the database server.
    type: path
  connect_timeout:
    description: Longest wait in seconds for the connection, and for every answer of the server.
    type: int
    default: 10
requirements:
  - PyMySQL on the host that runs the module
"""
