# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: computes the hash of a password on the control host."""

from __future__ import annotations

DOCUMENTATION = r"""
name: ftp_password_hash
short_description: Hash a password for Pure-FTPd on the control host
version_added: 0.1.0
author:
  - LANOT (@lanot)
description:
  - Returns a hash that Pure-FTPd accepts, for O(lanot.tempoftp.tempoftp_ftpuser#module:password_hash).
  - The salt is random, so two calls return different hashes. M(lanot.tempoftp.tempoftp_ftpuser) does not
    change the password of an existing account, so a second run of a playbook changes nothing.
requirements:
  - argon2-cffi or bcrypt on the control host, depending on the scheme
positional: scheme
options:
  _input:
    description: The password, at least eight characters.
    type: str
    required: true
  scheme:
    description:
      - V(bcrypt) (cost 12, 60 characters) fits into a column C(VARCHAR(64)), and needs C(MYSQLCrypt) C(crypt) or
        C(any).
      - V(argon2id) (97 characters) needs a wider column, and C(MYSQLCrypt) C(argon2) or C(any).
    type: str
    choices: [bcrypt, argon2id]
    default: bcrypt
"""

EXAMPLES = r"""
- name: Hash a password
  ansible.builtin.set_fact:
    ftp_password_hash: "{{ ftp_password | lanot.tempoftp.ftp_password_hash(scheme='argon2id') }}"
  no_log: true
"""

RETURN = r"""
_value:
  description: The hash.
  type: str
"""

from typing import Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.passwords import (
    hash_password,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import TempoftpError


def ftp_password_hash(password: Any, scheme: str = "bcrypt") -> str:
    """Return the hash of *password*. The message of an error never contains the password."""
    if not isinstance(password, str):
        raise AnsibleFilterError(f"ftp_password_hash wants a string, not {type(password).__name__}")
    try:
        return hash_password(password, scheme)
    except TempoftpError as error:
        raise AnsibleFilterError(f"ftp_password_hash: {error.message}") from None


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters of this file."""
        return {"ftp_password_hash": ftp_password_hash}
