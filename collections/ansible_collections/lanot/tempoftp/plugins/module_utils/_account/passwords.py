# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks, computes and verifies the password hashes that pure-ftpd accepts.

pure-ftpd reads ``MYSQLCrypt`` from its MySQL configuration. It treats an unknown value as *clear text*: the stored hash
itself would then be the password. So the scheme depends on that value and on the width of the column, and everything
else is refused.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Optional

from .._host.errors import TempoftpError

ARGON2ID = "argon2id"
BCRYPT = "bcrypt"
# Where Debian and the RHEL family keep the MySQL configuration of pure-ftpd.
MYSQL_CONFS = ("/etc/pure-ftpd/db/mysql.conf", "/etc/pure-ftpd/pureftpd-mysql.conf")
# In order of preference.
SCHEMES = (ARGON2ID, BCRYPT)

# Characters of a hash that hash_password returns.
HASH_LENGTHS = {ARGON2ID: 97, BCRYPT: 60}
# pure-ftpd refuses argon2 with more memory than this, and libsodium supports one lane only.
ARGON2_MEMORY_KIB = 65536
ARGON2_TIME = 3
BCRYPT_COST = 12

_ACCEPTED_BY = {ARGON2ID: frozenset({"argon2", "any"}), BCRYPT: frozenset({"crypt", "any"})}
_ARGON2ID = re.compile(
    r"\$argon2id\$v=19\$m=(?P<memory>[0-9]{1,9}),t=(?P<time>[0-9]{1,4}),p=(?P<lanes>[0-9]{1,3})"
    r"\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{21,172}"
)
_BCRYPT = re.compile(r"\$2[aby]\$(?P<cost>[0-9]{2})\$[./A-Za-z0-9]{53}")
_BCRYPT_COSTS = range(10, 17)
# Salted hashes that name their scheme, also those that this module would not make. The service has the same list.
_B64 = "[./A-Za-z0-9]"
_KNOWN = re.compile(
    r"\$argon2id?\$v=[0-9]{1,3}\$m=[0-9]{1,9},t=[0-9]{1,4},p=[0-9]{1,3}\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,86}"
    rf"|\$2[abxy]\$[0-9]{{2}}\${_B64}{{53}}"
    rf"|\$1\${_B64}{{1,8}}\${_B64}{{22}}"
    rf"|\$5\$(?:rounds=[0-9]{{1,9}}\$)?{_B64}{{1,16}}\${_B64}{{43}}"
    rf"|\$6\$(?:rounds=[0-9]{{1,9}}\$)?{_B64}{{1,16}}\${_B64}{{86}}"
    rf"|\$7\${_B64}{{11}}{_B64}{{1,86}}\${_B64}{{43}}"
    rf"|\$g?y\${_B64}{{1,16}}\${_B64}{{1,86}}\${_B64}{{43}}"
)
# bcrypt ignores all bytes after this one; older libraries did so silently, newer ones refuse such a password.
_BCRYPT_PASSWORD_BYTES = 72
_SHORTEST_PASSWORD = 8
_NO_ARGON2 = "this host's pure-ftpd was built without libsodium and cannot read argon2 hashes"


class PasswordSchemeError(TempoftpError):
    """A password cannot be stored in a way that is safe and that pure-ftpd accepts."""

    error_class = "password_scheme"


def parse_mysql_crypt(text: str) -> Optional[str]:
    """Return the value of ``MYSQLCrypt`` in a pure-ftpd MySQL configuration, lower case, or None when it has none.

    The file is read as pure-ftpd reads it: the keyword in any case, the rest of the line as the value (a ``#`` is part
    of the value), and the last such line counts.
    """
    value: Optional[str] = None
    for line in text.splitlines():
        match = re.fullmatch(r"\s*mysqlcrypt(?P<value>.*?)\s*", line, re.IGNORECASE)
        if match:
            value = match["value"].strip().lower()
    return value


def read_mysql_crypt(path: Optional[str]) -> tuple[str, Optional[str]]:
    """Return the file that was read and its ``MYSQLCrypt``, which is None without such a file or such a line."""
    names = (path,) if path else MYSQL_CONFS
    for name in names:
        try:
            return name, parse_mysql_crypt(Path(name).read_text(encoding="utf-8", errors="replace"))
        except OSError:
            continue
    return " or ".join(names), None


def choose_schemes(mysql_crypt: Optional[str], width: int, argon2: bool = True) -> list[str]:
    """Return the schemes that pure-ftpd accepts and whose hashes fit into the column, the best one first.

    *argon2*: whether this pure-ftpd can read argon2 hashes. It refuses the right password where it cannot.
    """
    return [
        scheme
        for scheme in SCHEMES
        if mysql_crypt in _ACCEPTED_BY[scheme]
        and HASH_LENGTHS[scheme] <= width
        and (argon2 or scheme != ARGON2ID)
    ]


def require_scheme(mysql_crypt: Optional[str], width: int, where: str, argon2: bool = True) -> str:
    """Return the best scheme; raise PasswordSchemeError with what to change. *where*: the file with ``MYSQLCrypt``."""
    schemes = choose_schemes(mysql_crypt, width, argon2)
    if schemes:
        return schemes[0]
    if mysql_crypt is None:
        raise PasswordSchemeError(
            f"MYSQLCrypt is not set in {where}: set it to 'any', or point pureftpd_mysql_conf at the file that has it"
        )
    if mysql_crypt not in frozenset().union(*_ACCEPTED_BY.values()):
        raise PasswordSchemeError(
            f"MYSQLCrypt {mysql_crypt!r} in {where} is refused: pure-ftpd takes what it does not know for clear "
            "text, and no hash that this module makes is safe there; set 'any' (or 'argon2', 'crypt') and restart "
            "pure-ftpd"
        )
    if not argon2 and mysql_crypt not in _ACCEPTED_BY[BCRYPT]:
        raise PasswordSchemeError(
            f"MYSQLCrypt {mysql_crypt!r} in {where} lets nobody in: {_NO_ARGON2}; set 'any' or 'crypt' and restart it"
        )
    needed = min(HASH_LENGTHS[scheme] for scheme in SCHEMES if mysql_crypt in _ACCEPTED_BY[scheme])
    raise PasswordSchemeError(
        f"the password column holds {width} characters, MYSQLCrypt {mysql_crypt!r} in {where} needs {needed}: widen "
        "the column to VARCHAR(255), or set MYSQLCrypt 'any'"
    )


def identify_scheme(password_hash: str) -> Optional[str]:
    """Return the scheme of a hash, or None when pure-ftpd does not accept the hash or it is too weak."""
    match = _ARGON2ID.fullmatch(password_hash)
    if match:
        fits = int(match["memory"]) <= ARGON2_MEMORY_KIB and match["lanes"] == "1" and int(match["time"]) >= 1
        return ARGON2ID if fits else None
    match = _BCRYPT.fullmatch(password_hash)
    if match and int(match["cost"]) in _BCRYPT_COSTS:
        return BCRYPT
    return None


def is_known_hash(stored: str) -> bool:
    """Whether what a users table stores is a salted hash of a known form.

    An account that tempoftp did not make can have its password there in clear, or a digest that gives it away (MD5,
    SHA-1, MySQL's own). Those never leave the host.
    """
    return _KNOWN.fullmatch(stored) is not None


def check_hash(
    password_hash: str, mysql_crypt: Optional[str], width: int, where: str, argon2: bool = True
) -> None:
    """Raise PasswordSchemeError unless pure-ftpd accepts this hash and it fits. The message never has the hash."""
    wanted = require_scheme(mysql_crypt, width, where, argon2)
    scheme = identify_scheme(password_hash)
    if scheme is None:
        raise PasswordSchemeError(
            "the password hash is refused: it must be argon2id with p=1 and m at most "
            f"{ARGON2_MEMORY_KIB} KiB, or bcrypt with a cost of {_BCRYPT_COSTS[0]} to {_BCRYPT_COSTS[-1]}"
        )
    if mysql_crypt not in _ACCEPTED_BY[scheme]:
        raise PasswordSchemeError(
            f"the password hash is {scheme}, MYSQLCrypt {mysql_crypt!r} in {where} does not accept it: "
            f"give a hash of the scheme {wanted}"
        )
    if scheme == ARGON2ID and not argon2:
        raise PasswordSchemeError(f"the password hash is {scheme}: {_NO_ARGON2}; give a {wanted} hash")
    if len(password_hash) > width:
        raise PasswordSchemeError(
            f"the {scheme} hash has {len(password_hash)} characters, the password column holds {width}: give a "
            f"{wanted} hash, or widen the column to VARCHAR(255)"
        )


def hash_password(password: str, scheme: str) -> str:
    """Return a new hash of *password*: argon2id (p=1) by argon2-cffi, or bcrypt by bcrypt. It takes about 0.2 s."""
    _check_password(password, scheme)
    if scheme == ARGON2ID:
        return _hash_argon2id(password)
    if scheme == BCRYPT:
        return _hash_bcrypt(password)
    raise PasswordSchemeError(f"password scheme {scheme!r} is not known: choose one of {', '.join(SCHEMES)}")


def verify_password(password: str, password_hash: str) -> Optional[bool]:
    """Return whether *password* matches *password_hash*; None for an unknown scheme or without its library."""
    try:
        _check_password(password, ARGON2ID)
    except PasswordSchemeError:
        return False
    try:
        if password_hash.startswith("$argon2id$"):
            return _verify_argon2id(password, password_hash)
        if _BCRYPT.fullmatch(password_hash):
            return _verify_bcrypt(password, password_hash)
    except ImportError:
        pass
    return None


def _check_password(password: str, scheme: str) -> None:
    # no_log replaces the password everywhere in a result: a short one would damage unrelated words.
    if len(password) < _SHORTEST_PASSWORD:
        raise PasswordSchemeError(
            f"the password is refused: it has less than {_SHORTEST_PASSWORD} characters"
        )
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in password):
        raise PasswordSchemeError("the password is refused: FTP cannot carry control characters")
    if scheme == BCRYPT and len(password.encode()) > _BCRYPT_PASSWORD_BYTES:
        raise PasswordSchemeError(
            f"the password is refused: bcrypt reads {_BCRYPT_PASSWORD_BYTES} bytes only"
        )


def _hash_argon2id(password: str) -> str:
    try:
        import argon2
    except ImportError:
        raise _missing("argon2-cffi", "python3-argon2") from None
    hasher = argon2.PasswordHasher(time_cost=ARGON2_TIME, memory_cost=ARGON2_MEMORY_KIB, parallelism=1)
    return str(hasher.hash(password))


def _hash_bcrypt(password: str) -> str:
    try:
        import bcrypt
    except ImportError:
        raise _missing("bcrypt", "python3-bcrypt") from None
    hashed: bytes = bcrypt.hashpw(password.encode(), bcrypt.gensalt(BCRYPT_COST))
    return hashed.decode("ascii")


def _verify_argon2id(password: str, password_hash: str) -> bool:
    import argon2

    try:
        return bool(argon2.PasswordHasher().verify(password_hash, password))
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False


def _verify_bcrypt(password: str, password_hash: str) -> bool:
    import bcrypt

    try:
        return bool(bcrypt.checkpw(password.encode(), password_hash.encode("ascii")))
    except ValueError:
        return False


def _missing(library: str, package: str) -> PasswordSchemeError:
    return PasswordSchemeError(
        f"the Python library {library} is missing where the password is hashed: install it (Debian: {package}), "
        "or hand over a password_hash made elsewhere, for example by the filter lanot.tempoftp.ftp_password_hash"
    )
