"""Finding shares: one of them, to read or to change, and the pages of `GET /tmpftp`."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from tempoftp.accounts.accounts import lock_account
from tempoftp.db.models import Share
from tempoftp.downloads.counts import find_downloads
from tempoftp.refusals import InvalidRequest, ShareNotFound
from tempoftp.shares.serializers import describe_row
from tempoftp.states import State

LIST_DEFAULT = 100
LIST_MAX = 1000


def find_share(
    session: Session, share_id: str, emails: frozenset[str] | None, *, deleted: bool = False
) -> Share:
    """Return a share. A deleted share is found only with `deleted`; with `emails`, only a share of one of these.

    A share of another person is answered like one that does not exist. Raises ShareNotFound.
    """
    return _check_visible(session.get(Share, share_id), share_id, emails, deleted=deleted)


def lock_share(
    session: Session, share_id: str, emails: frozenset[str] | None, *, deleted: bool = False
) -> Share:
    """Return a share as it is now, and lock it and its account until the write transaction ends. Raises ShareNotFound.

    With `deleted`, also one that was deleted.

    SQLite allows one write transaction at a time. On other databases, without the lock, an extension could be granted
    to a share that a sweep is ending at the same moment, and two rotations of one password would be one.
    """
    locked = _lock_account_of(session, share_id)
    share = session.get(Share, share_id, with_for_update=True, populate_existing=True)
    share = _check_visible(share, share_id, emails, deleted=deleted)
    if share.ftpuser != locked:  # its id was asked for again by somebody else in between
        lock_account(session, share.ftpuser)
    return share


def lock_with_siblings(
    session: Session, share_id: str, emails: frozenset[str] | None
) -> tuple[Share, list[Share]]:
    """Lock an account and all of its shares; return this share, and all of them by id. Raises ShareNotFound."""
    locked = _lock_account_of(session, share_id)
    query = select(Share).where(Share.ftpuser == locked).order_by(Share.id).with_for_update()
    siblings = list(session.scalars(query.execution_options(populate_existing=True)))
    share = next((sibling for sibling in siblings if sibling.id == share_id), None)
    return _check_visible(share, share_id, emails), siblings


def _lock_account_of(session: Session, share_id: str) -> str | None:
    name = session.scalar(select(Share.ftpuser).where(Share.id == share_id))
    if name is not None:
        lock_account(session, name)
    return name


def _check_visible(
    share: Share | None, share_id: str, emails: frozenset[str] | None, *, deleted: bool = False
) -> Share:
    is_hidden = share is not None and share.state == State.ELIMINADO and not deleted
    if share is None or is_hidden or (emails is not None and share.email not in emails):
        raise ShareNotFound("share_not_found", id=share_id)
    return share


def list_shares(
    session: Session,
    *,
    estado: str | None = None,
    usuario: str | None = None,
    texto: str | None = None,
    limite: int = LIST_DEFAULT,
    cursor: str | None = None,
    emails: frozenset[str] | None = None,
) -> dict[str, Any]:
    """Return a page of `GET /tmpftp`, newest first. It never has a password.

    `estado` filters by state, `usuario` by e-mail or FTP user, `texto` by a part of id, source, e-mail or FTP user,
    regardless of case. `emails` limits the list to the shares of these people. Deleted shares are listed only when
    `estado` asks for them. `siguiente` is the cursor of the next page, or None. Raises InvalidRequest.
    """
    conditions = _build_conditions(estado, usuario, emails)
    if texto:
        columns = (Share.id, Share.source, Share.email, Share.ftpuser)
        conditions.append(or_(*(func.lower(c).contains(texto.lower(), autoescape=True) for c in columns)))
    total = session.scalar(select(func.count()).select_from(Share).where(*conditions)) or 0
    if not 1 <= limite <= LIST_MAX:
        raise InvalidRequest("limite", "limit_out_of_bounds", most=LIST_MAX)
    if cursor is not None:
        created_at, share_id = _read_cursor(cursor)
        conditions.append(
            or_(Share.created_at < created_at, and_(Share.created_at == created_at, Share.id > share_id))
        )
    query = select(Share).where(*conditions).order_by(Share.created_at.desc(), Share.id).limit(limite + 1)
    rows = list(session.scalars(query))
    page = rows[:limite]
    downloads = find_downloads(session, page)
    return {
        "total": total,
        "sin_created_at": 0,  # always 0, since the column is never empty; clients of the first release read this member
        "solicitudes": [describe_row(share, downloads.get(share.id)) for share in page],
        "siguiente": _write_cursor(page[-1]) if len(rows) > limite else None,
    }


def _build_conditions(
    estado: str | None, usuario: str | None, emails: frozenset[str] | None
) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if estado is None:
        conditions.append(Share.state != State.ELIMINADO)
    elif estado in set(State):
        conditions.append(Share.state == estado)
    else:
        raise InvalidRequest("estado", "state_unknown", states=list(State))
    if usuario is not None:
        conditions.append(or_(Share.email == usuario.lower(), Share.ftpuser == usuario))
    if emails is not None:
        conditions.append(Share.email.in_(emails))
    return conditions


def _write_cursor(share: Share) -> str:
    return base64.urlsafe_b64encode(json.dumps([share.created_at.isoformat(), share.id]).encode()).decode()


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    try:
        moment, share_id = json.loads(base64.b64decode(cursor.encode(), altchars=b"-_", validate=True))
        created_at = datetime.fromisoformat(moment)
        if created_at.tzinfo is None or not isinstance(share_id, str):
            raise ValueError("not a cursor of this service")
    except (ValueError, TypeError, binascii.Error):
        raise InvalidRequest("cursor", "cursor_invalid") from None
    return created_at, share_id
