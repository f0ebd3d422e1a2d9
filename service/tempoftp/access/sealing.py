"""For whom a password in an answer is encrypted: with the caller's own key, with the shared key, or not at all."""

from __future__ import annotations

from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import select
from sqlalchemy.orm import Session

from tempoftp.access.identities import is_identity
from tempoftp.access.tokens import Principal, describe_state
from tempoftp.db.clock import database_now
from tempoftp.db.models import Token
from tempoftp.settings import Settings
from tempoftp.shares.serializers import Seal, hide_password


def choose_seal(settings: Settings, principal: Principal) -> Seal:
    """Return what makes of a stored password the text for this caller, or None where there is none for it."""
    if principal.sealed_key is None:
        return _share_key if settings.shared_key else hide_password
    fernet = settings.build_fernet()
    try:
        own = Fernet(fernet.decrypt(principal.sealed_key.encode()))
    except InvalidToken:
        return hide_password  # `GET /health` says which key is missing

    def seal(stored: str) -> str | None:
        try:
            return own.encrypt(fernet.decrypt(stored.encode())).decode()
        except InvalidToken:
            return None

    return seal


def _share_key(stored: str) -> str | None:
    # It is stored as the seed's clients read it: encrypted with the service's key.
    return stored


def list_keyless(session: Session) -> list[str]:
    """Return the names of the valid tokens that have no key of their own; people at the portal need none."""
    now = database_now(session)
    rows = session.scalars(select(Token).where(Token.key.is_(None)).order_by(Token.name))
    return [row.name for row in rows if not is_identity(row.name) and describe_state(row, now) == "valid"]


def warn_of_shared_key(session: Session, settings: Settings) -> list[str]:
    """Return a warning while callers get passwords encrypted with the service's own key; nothing when none does."""
    if not settings.shared_key:
        return []
    names = list_keyless(session)
    callers = []
    if names:
        shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
        callers.append(f"{len(names)} token(s) without a key of their own ({shown})")
    if settings.auth == "none":
        callers.append("everybody (TEMPOFTP_AUTH=none)")
    elif settings.address_roles:
        callers.append(f"{len(settings.address_roles)} mapped address(es)")
    if not callers:
        return []
    return [
        f"{' and '.join(callers)} get passwords encrypted with TEMPOFTP_ENCRYPTION_KEY, which opens every stored "
        "password: give each application a key (`tempoftp token key NAME`) or let it ask as `tempoftp credentials ID` "
        "does, then set TEMPOFTP_SHARED_KEY=0 and change the key"
    ]
