"""Step 9 of the flow: rows as they go over the wire. Lists have no secrets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from tempoftp.accounts.accounts import is_password_hash
from tempoftp.db.clock import database_now, write_time
from tempoftp.db.models import Account, Downloads, FtpHost, Share
from tempoftp.downloads.counts import describe_downloads
from tempoftp.phrases import Translate, keep
from tempoftp.settings import Settings
from tempoftp.shares.desired_state import DesiredState, list_pending, read_desired_state
from tempoftp.shares.fields import DELIVERY, PROGRESS, describe_fields
from tempoftp.shares.messages import (
    READY_EMPTY,
    READY_WITH_EARLIER_PASSWORD,
    describe_emptiness,
    explain_state,
    is_delivered_empty,
    say_message,
)
from tempoftp.shares.restorable import find_restorable_until
from tempoftp.states import State

SECRET_FIELDS = frozenset({"password", "password_tipo"})
"""Fields of a share that only its own client gets."""

Seal = Callable[[str], str | None]
"""Makes of a stored password the text that a caller gets; None: this caller gets none."""


def hide_password(_stored: str) -> None:
    """Give no caller a password: what pages and recipients get."""


def describe_share(
    session: Session,
    settings: Settings,
    share: Share,
    translate: Translate = keep,
    *,
    seal: Seal = hide_password,
) -> dict[str, Any]:
    """Return a share as `GET /tmpftp/{id}` shows it; with the credentials once it is `listo`.

    `mensaje` is Spanish, or what `translate` makes of it. `seal` encrypts the password for the caller.
    """
    state = State(share.state)
    account = session.get_one(Account, share.ftpuser)
    host = session.get(FtpHost, share.ftp_host)
    pending = list_pending(share, account)
    paused = host is not None and host.paused and share.due_at is not None
    answer: dict[str, Any] = {
        "id": share.id,
        "status": state.value,
        "mensaje": explain_state(share, pending, paused=paused, translate=translate),
        "error": share.error_class,
        "pendiente": [word.value for word in pending],
        "en_pausa": paused,
        "ruta": share.source,
        "email": share.email,
        "vigencia": share.lifetime_days,
        "created_at": write_time(share.created_at),
        "restaurable_hasta": write_time(
            find_restorable_until(settings, share, account, database_now(session))
        ),
        "progreso": describe_progress(share),
        "omitidos": {"total": share.skipped_total or 0, "lista": list(share.skipped or [])},
    }
    if is_delivered_empty(share):
        answer["advertencias"] = [describe_emptiness(translate, delivered=True)]
    if state is State.LISTO:
        answer |= describe_access(settings, share, account, host, seal)
        answer["descargas"] = describe_downloads(session, share)
        if answer["password_tipo"] == "hash" and not (share.message or pending or paused):  # noqa: S105
            answer["mensaje"] = translate(READY_WITH_EARLIER_PASSWORD)
            if is_delivered_empty(share):
                answer["mensaje"] += " " + translate(READY_EMPTY)
    elif share.expires is not None:
        answer["expira"] = write_time(share.expires)
    if read_desired_state(share, account) is DesiredState.BLOCKED:
        answer |= describe_block(share, account)
    return answer


def explain_share(session: Session, share: Share) -> str:
    """Return the state of a share in words, and what waits for its FTP host."""
    account = session.get_one(Account, share.ftpuser)
    host = session.get(FtpHost, share.ftp_host)
    paused = host is not None and host.paused and share.due_at is not None
    return explain_state(share, list_pending(share, account), paused=paused)


def describe_block(share: Share, account: Account) -> dict[str, Any]:
    """Return who is blocked and why, and whether MySQL refused the login at the last run."""
    return {
        "usuario": share.ftpuser,
        "razon": account.block_reason if account.blocked else share.block_reason,
        "alcance": "cuenta" if account.blocked else "solicitud",
        "en_mysql": account.status == "blocked",
    }


def describe_progress(share: Share) -> dict[str, Any]:
    """Return how far the copy is: bytes, files, percent, bytes per second, seconds to go."""
    return describe_fields(share, PROGRESS)


def describe_access(
    settings: Settings,
    share: Share,
    account: Account,
    host: FtpHost | None,
    seal: Seal = hide_password,
) -> dict[str, Any]:
    """Return how to log in to a share that is ready, as it goes over the wire."""
    password, kind = show_password(account, share, reuse_password=settings.reuse_password)
    if password is not None and kind == "fernet":
        password = seal(password)
    server: dict[str, Any] = ((host.facts or {}).get("server") or {}) if host is not None else {}
    return {
        "usuario": share.ftpuser,
        "ftpuser": share.ftpuser,
        "password": password,
        "password_tipo": None if kind == "fernet" and password is None else kind,
        "expira": write_time(share.expires),
        "servidor": {
            "host": server.get("host"),
            "puerto": server.get("port"),
            "tls": server.get("tls"),
            "huella": server.get("fingerprint"),
        },
        "homedir": share.path.rsplit("/", 1)[0] if share.path else None,
        "directorio": share.path,
        "entrega": describe_fields(share, DELIVERY),
    }


def show_password(account: Account, share: Share, *, reuse_password: bool) -> tuple[str | None, str]:
    """Return the password as a requester gets it, and its kind: `fernet` (encrypted) or `hash`.

    The encrypted password is returned for shares that are older than the account, or than its present password. Later
    shares get the stored hash, or no password where what is stored is no hash.
    """
    since = account.exists_since
    if since is not None and account.password_since is not None:
        since = max(since, account.password_since)
    is_first = since is None or share.created_at <= since
    if account.token is not None and (is_first or reuse_password):
        return account.token, "fernet"
    stored = account.password_hash
    # An account that was there before tempoftp may have its password in clear in the users table.
    return stored if stored is not None and is_password_hash(stored) else None, "hash"


def describe_row(share: Share, downloads: Downloads | None) -> dict[str, Any]:
    return {
        "id": share.id,
        "email": share.email,
        "ftpuser": share.ftpuser,
        "ruta": share.source,
        "estado": share.state,
        "mensaje": say_message(share),
        "error": share.error_class,
        "created_at": write_time(share.created_at),
        "vigencia": share.lifetime_days,
        "listo_at": write_time(share.ready_at),
        "expira": write_time(share.expires),
        "bytes": share.bytes_total,
        "porcentaje": share.percent,
        "descargas": None if downloads is None else downloads.complete + downloads.partial,
    }
