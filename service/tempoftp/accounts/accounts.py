"""Accounts: their owners, names and passwords.

A clear password exists here only for a moment. It leaves as an encrypted token for the requester and as a hash for
pure-ftpd.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import unicodedata
from collections.abc import Callable, Sequence
from datetime import datetime

import argon2
import bcrypt
from cryptography.fernet import MultiFernet
from sqlalchemy import select
from sqlalchemy.orm import Session

from tempoftp.db.clock import database_now
from tempoftp.db.models import Account, Share
from tempoftp.hosts.holds import is_name_kept
from tempoftp.refusals import HostGone
from tempoftp.states import TERMINAL

NAME_LENGTH = 32
PASSWORD_LENGTH = 20
ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Letters and digits that no font makes look alike (no 0 O 1 l I o): passwords are read out and typed."""

BCRYPT_COST = 12
_ARGON2 = argon2.PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1, type=argon2.Type.ID)
_B64 = "[./A-Za-z0-9]"
_HASH = re.compile(
    r"\$argon2id?\$v=[0-9]{1,3}\$m=[0-9]{1,9},t=[0-9]{1,4},p=[0-9]{1,3}\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,86}"
    rf"|\$2[abxy]\$[0-9]{{2}}\${_B64}{{53}}"
    rf"|\$1\${_B64}{{1,8}}\${_B64}{{22}}"
    rf"|\$5\$(?:rounds=[0-9]{{1,9}}\$)?{_B64}{{1,16}}\${_B64}{{43}}"
    rf"|\$6\$(?:rounds=[0-9]{{1,9}}\$)?{_B64}{{1,16}}\${_B64}{{86}}"
    rf"|\$7\${_B64}{{11}}{_B64}{{1,86}}\${_B64}{{43}}"
    rf"|\$g?y\${_B64}{{1,16}}\${_B64}{{1,86}}\${_B64}{{43}}"
)
"""argon2, bcrypt, md5crypt, sha256crypt, sha512crypt, scrypt (libsodium), yescrypt and gost-yescrypt."""


def name_account(email: str, hash_digits: int = 0) -> str:
    """Return `ftp_<local>_<domain label>` for an e-mail, in characters that fit a MySQL login and a folder.

    `hash_digits` adds a suffix, made from the whole e-mail, for e-mails that would get the same name.
    """
    local, _, domain = email.partition("@")
    label = _simplify(domain.split(".", 1)[0])
    middle = _simplify(local)
    if not middle:  # nothing of it can be written in ASCII
        middle = hashlib.sha256(email.encode()).hexdigest()[:8]
    suffix = "_" + hashlib.sha256(email.encode()).hexdigest()[:hash_digits] if hash_digits else ""
    base = "_".join(part for part in ("ftp", middle, label) if part)
    return base[: NAME_LENGTH - len(suffix)].rstrip("_") + suffix


def _simplify(text: str) -> str:
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", ascii_text.lower()).strip("_")


def take_account(session: Session, email: str, choose_ftp_host: Callable[[], str]) -> Account:
    """Return the account of an e-mail, locked. A new account gets a name that no other e-mail ever had."""
    query = select(Account).where(Account.email == email).with_for_update()
    account = session.scalar(query.execution_options(populate_existing=True))
    if account is not None:
        return account
    for hash_digits in (0, 6, 12, 20):
        name = name_account(email, hash_digits)
        if session.get(Account, name) is None and not is_name_kept(session, name):
            break
    else:  # 80 bits of hash would have to collide
        raise RuntimeError(f"no free account name for {email}")
    account = Account(
        name=name,
        email=email,
        ftp_host=choose_ftp_host(),
        created_at=database_now(session),
        blocked=False,
        password_generation=0,
        password_confirmed=0,
    )
    session.add(account)
    return account


def leave_gone_host(
    session: Session, account: Account, ftp_hosts: Sequence[str], choose_ftp_host: Callable[[], str]
) -> None:
    """Give a locked account to another FTP host if its own is no longer one of these and nothing lives there.

    The e-mail keeps the name, and a block stays. On the new host the account is a new one with a new password; one of
    this name that is there already belongs to somebody else. Raises HostGone.
    """
    if account.ftp_host in ftp_hosts:
        return
    query = select(Share.id).where(Share.ftpuser == account.name, Share.state.not_in(TERMINAL))
    living = list(session.scalars(query.order_by(Share.id)))
    if living:
        raise HostGone(
            "account_host_gone", name=account.name, ftp_host=account.ftp_host, shares=", ".join(living)
        )
    forget_account(account)
    account.adopt = False
    account.ftp_host = choose_ftp_host()


def lock_account(session: Session, name: str) -> Account | None:
    """Return an account as it is now, and lock its row until the write transaction ends.

    Who locks shares too locks their account first: two transactions that wait for each other would both be given up.
    """
    session.flush()  # populate_existing would overwrite changes that have not been flushed
    return session.get(Account, name, with_for_update=True, populate_existing=True)


def ensure_password(account: Account, fernet: MultiFernet, now: datetime) -> None:
    """Give an account without a password one, if it is not on its FTP host yet."""
    if account.exists_since is None and account.token is None:
        renew_password(account, fernet, now)


def renew_password(account: Account, fernet: MultiFernet, now: datetime) -> None:
    """Give an account a new password, which a run hashes. The number of the password only ever grows.

    `now` is the time by the database's clock.
    """
    account.token = fernet.encrypt(generate_password().encode()).decode()
    account.password_hash = None
    account.password_generation += 1
    account.password_since = now


def needs_new_password(account: Account) -> bool:
    """Whether the FTP host has to set our password although the account has one there.

    False for the first password: an account that exists then existed before tempoftp.
    """
    return account.password_generation > 1 and account.password_confirmed < account.password_generation


def is_rotating(account: Account) -> bool:
    """Whether the FTP host still has to replace the earlier password of an account."""
    return account.exists_since is not None and needs_new_password(account)


def forget_account(account: Account) -> None:
    """Forget the credentials of an account that its FTP host has removed. The e-mail keeps the name."""
    account.token = None
    account.password_hash = None
    account.origin = None
    account.status = None
    account.exists_since = None


def generate_password() -> str:
    """Return a new password (about 116 bits)."""
    return "".join(secrets.choice(ALPHABET) for _ in range(PASSWORD_LENGTH))


def choose_scheme(password_schemes: Sequence[str] | None) -> str:
    """Return a hash scheme that the FTP host verifies; bcrypt when the host has not said which it does."""
    return "argon2id" if password_schemes and "argon2id" in password_schemes else "bcrypt"


def hash_password(password: str, scheme: str) -> str:
    """Return a hash that pure-ftpd verifies. Takes some 0.05 s (argon2id) or 0.2 s (bcrypt) of CPU."""
    if scheme == "argon2id":
        return _ARGON2.hash(password)
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(BCRYPT_COST)).decode()


def is_password_hash(stored: str) -> bool:
    """Whether a stored password is a salted hash of a known form.

    A users table that was there before can hold passwords in clear, or digests that give them away (MD5, SHA-1, MySQL's
    own): those look like any other text, so only forms that name their scheme are believed.
    """
    return _HASH.fullmatch(stored) is not None


def scheme_of(password_hash: str) -> str:
    """Return the scheme of a hash."""
    return "argon2id" if password_hash.startswith("$argon2id$") else "bcrypt"
