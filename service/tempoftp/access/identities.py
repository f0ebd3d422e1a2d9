"""People who sign in through an OpenID Connect provider. Each one is a row among the tokens.

Nobody has the text of such a token, so it does not open the API. The row has the role, the e-mail and the end of the
person's sessions at the portal, and it is listed and revoked like a token. `tempoftp token create` cannot make a
token with such a name.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tempoftp.access.tokens import EVERYBODY, TOKEN_BYTES, Role, TokenRefused, digest_token
from tempoftp.db.clock import database_now
from tempoftp.db.models import Token

IDENTITY_PREFIX = "oidc:"
_KEY_LENGTH = 24
_LABEL_LENGTH = 34
RACE_ATTEMPTS = 3
_UNUSUAL = re.compile(r"[^A-Za-z0-9@._+-]")


class IdentityRevoked(TokenRefused):
    """An operator has revoked this person."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A person who signs in: issuer and subject, and the role and e-mail from the claims. Operators need no e-mail."""

    issuer: str
    subject: str
    role: Role
    email: str | None


def is_identity(name: str) -> bool:
    """Whether a token of this name stands for a person who signs in."""
    return name.startswith(IDENTITY_PREFIX)


def show_holder(name: str) -> str:
    """Return the name of a token's holder for people: of a person, only the readable part of the name."""
    return name.removeprefix(IDENTITY_PREFIX).rpartition(":")[0] if is_identity(name) else name


def admit_identity(session: Session, identity: Identity, lifetime: timedelta) -> Token:
    """Return the row of a person who has just signed in, valid for `lifetime`, in a write transaction.

    Open sessions continue with the present role and e-mail. Sessions that have ended stay ended. Raises
    IdentityRevoked.
    """
    for attempt in range(RACE_ATTEMPTS):
        try:
            with session.begin_nested():
                return _admit(session, identity, lifetime)
        except IntegrityError:
            # Two first sign-ins at once may both find no row. The second try finds the row of the first one.
            if attempt == RACE_ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _admit(session: Session, identity: Identity, lifetime: timedelta) -> Token:
    now = database_now(session)
    row = _find_row(session, identity)
    if row is None:
        row = Token(name=_build_name(identity), digest=_draw_digest(), created_at=now)
        session.add(row)
    elif row.revoked_at is not None:
        raise IdentityRevoked("identity_revoked", name=row.name)
    elif row.expires is None or row.expires <= now:
        row.digest = _draw_digest()
    row.role = identity.role.value
    row.emails = [EVERYBODY] if identity.role is Role.OPERADOR else [identity.email or ""]
    row.expires = now + lifetime
    session.flush()
    return row


def end_identity_sessions(session: Session, name: str) -> None:
    """End every session of a person, in a write transaction. The next sign-in starts a new one."""
    row = session.get(Token, name, with_for_update=True)
    if row is not None:
        row.digest = _draw_digest()
        row.expires = database_now(session)


def readmit_identity(session: Session, name: str) -> Token:
    """Let a revoked person sign in again, in a write transaction. Raises TokenRefused."""
    row = session.get(Token, name, with_for_update=True) if is_identity(name) else None
    if row is None:
        raise TokenRefused("identity_not_found", name=name)
    if row.revoked_at is not None:
        end_identity_sessions(session, name)
        row.revoked_at = None
    return row


def _find_row(session: Session, identity: Identity) -> Token | None:
    # Only the key is compared: a revoked person with a new e-mail stays revoked.
    wanted = select(Token).where(Token.name.like(f"{IDENTITY_PREFIX}%:{_build_key(identity)}"))
    return session.scalar(wanted.order_by(Token.created_at).with_for_update())


def _build_key(identity: Identity) -> str:
    # As JSON, two different pairs never have the same text.
    pair = json.dumps([identity.issuer, identity.subject])
    return hashlib.sha256(pair.encode()).hexdigest()[:_KEY_LENGTH]


def _build_name(identity: Identity) -> str:
    label = _UNUSUAL.sub("_", identity.email or identity.subject)[:_LABEL_LENGTH]
    return f"{IDENTITY_PREFIX}{label}:{_build_key(identity)}"


def _draw_digest() -> str:
    return digest_token(secrets.token_urlsafe(TOKEN_BYTES))
