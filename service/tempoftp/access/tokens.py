"""Bearer tokens: who may use the API, in which role, and for which people.

A token has 256 random bits, so nobody can find it from its SHA-256. The database stores only that hash.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from cryptography.fernet import Fernet, MultiFernet
from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from tempoftp.accounts.emails import normalise_email
from tempoftp.db.clock import database_now
from tempoftp.db.models import Token
from tempoftp.refusals import Refused

TOKEN_PREFIX = "tempoftp_"  # noqa: S105 - what scanners for leaked secrets can look for
TOKEN_BYTES = 32
EVERYBODY = "*"
USE_NOTED_EVERY = timedelta(minutes=5)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class TokenRefused(Refused):
    """A token cannot be made or revoked as asked."""


class Role(StrEnum):
    """What a caller may do. Each role includes the roles before it."""

    CLIENTE = "cliente"
    OPERADOR = "operador"

    def includes(self, other: Role) -> bool:
        """Whether this role may do what `other` may do."""
        order = list(Role)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a request. `emails` are the people for whom they may act; None is everybody."""

    name: str
    role: Role
    emails: frozenset[str] | None
    sealed_key: str | None = field(default=None, repr=False)
    """The caller's own key, encrypted with the service's; None: the caller has none."""

    def may_act_for(self, email: str) -> bool:
        """Whether this caller may act for the person with this e-mail."""
        return self.emails is None or email in self.emails


def digest_token(secret: str) -> str:
    """Return the hash of a token, which the database stores."""
    return hashlib.sha256(secret.encode()).hexdigest()


def create_token(
    session: Session, name: str, role: Role, emails: Collection[str], *, lifetime: timedelta | None = None
) -> str:
    """Write a new token and return it, in the caller's write transaction. It cannot be shown again.

    `emails` are the people for whom it may act, or `*`. An operator acts for everybody. Raises TokenRefused.
    """
    if not _NAME.fullmatch(name):
        raise TokenRefused("token_name_malformed")
    if session.get(Token, name) is not None:
        raise TokenRefused("token_name_used", name=name)
    now = database_now(session)
    secret = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    token = Token(
        name=name,
        digest=digest_token(secret),
        role=role.value,
        emails=_choose_emails(role, emails),
        created_at=now,
        expires=None if lifetime is None else now + lifetime,
    )
    session.add(token)
    session.flush()
    return secret


def _choose_emails(role: Role, emails: Collection[str]) -> list[str]:
    if role is Role.OPERADOR:
        if set(emails) - {EVERYBODY}:
            raise TokenRefused("token_emails_unwanted")
        return [EVERYBODY]
    if not emails:
        raise TokenRefused("token_emails_missing")
    if EVERYBODY in emails:
        return [EVERYBODY]
    try:
        return sorted({normalise_email(email) for email in emails})
    except ValueError as error:
        raise TokenRefused("token_email_malformed", why=str(error)) from None


def list_tokens(session: Session) -> list[Token]:
    """Return every token by name, revoked and expired ones too."""
    return list(session.scalars(select(Token).order_by(Token.name)))


def revoke_token(session: Session, name: str) -> Token:
    """Revoke a token: the next request with it is refused. Raises TokenRefused."""
    token = session.get(Token, name, with_for_update=True, populate_existing=True)
    if token is None:
        raise TokenRefused("token_not_found", name=name)
    if token.revoked_at is None:
        token.revoked_at = database_now(session)
        token.key = None
    return token


def give_key(session: Session, name: str, fernet: MultiFernet) -> str:
    """Make a key for the holder of a token and return it, in a write transaction. It cannot be shown again.

    The passwords in answers to this token are then encrypted with it. An earlier key of the token ends. `fernet`
    encrypts the key for the database. Raises TokenRefused.
    """
    token = find_named_token(session, name)
    if token is None:
        raise TokenRefused("token_not_found", name=name)
    key = Fernet.generate_key()
    token.key = fernet.encrypt(key).decode()
    return key.decode()


def describe_state(token: Token, now: datetime) -> str:
    """Return `valid`, `expired` or `revoked`."""
    if token.revoked_at is not None:
        return "revoked"
    return "expired" if token.expires is not None and token.expires <= now else "valid"


def find_token(session: Session, secret: str) -> Token | None:
    """Return the token with this text, if it is valid now.

    The database compares hashes, so the time that it takes reveals nothing about a token's text.
    """
    token = session.scalar(select(Token).where(Token.digest == digest_token(secret)))
    if token is None or describe_state(token, database_now(session)) != "valid":
        return None
    return token


def find_named_token(session: Session, name: str) -> Token | None:
    """Return the token of this name, if it is valid now."""
    token = session.get(Token, name)
    if token is None or describe_state(token, database_now(session)) != "valid":
        return None
    return token


def build_principal(token: Token) -> Principal:
    """Return who the holder of a token is."""
    emails = None if EVERYBODY in token.emails else frozenset(token.emails)
    return Principal(name=token.name, role=Role(token.role), emails=emails, sealed_key=token.key)


def is_use_to_be_noted(token: Token, now: datetime) -> bool:
    """Whether `last_used_at` is old enough to be written again."""
    return token.last_used_at is None or token.last_used_at <= now - USE_NOTED_EVERY


def note_use(session: Session, name: str) -> None:
    """Write that a token was used, unless that was written a moment ago; in the caller's write transaction."""
    now = database_now(session)
    stale = or_(Token.last_used_at.is_(None), Token.last_used_at <= now - USE_NOTED_EVERY)
    session.execute(update(Token).where(Token.name == name, stale).values(last_used_at=now))
