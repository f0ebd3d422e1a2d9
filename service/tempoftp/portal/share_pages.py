"""`/portal/solicitudes` and `/portal/solicitudes/{id}`: the list of shares, one share with the changes that its page
offers, and its credentials.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Response, render_template, request, url_for
from flask_babel import gettext, lazy_gettext
from sqlalchemy import select

from tempoftp.access.links import LIVING
from tempoftp.db.clock import database_now
from tempoftp.db.models import Account, Share
from tempoftp.http.access import Role, allow, get_principal
from tempoftp.http.changes import write_change
from tempoftp.http.context import get_context
from tempoftp.http.events import answer_stream, parse_event_number
from tempoftp.http.routes import SharePath
from tempoftp.http.shares import find_page
from tempoftp.portal.languages import say_history
from tempoftp.portal.paste_lines import build_lines
from tempoftp.portal.routes import SHARE, portal
from tempoftp.refusals import ShareNotFound
from tempoftp.shares.credentials import reveal_credentials
from tempoftp.shares.extensions import Decision, find_last_extension
from tempoftp.shares.history import read_events
from tempoftp.shares.queries import find_share
from tempoftp.shares.restorable import find_restorable_until
from tempoftp.shares.serializers import SECRET_FIELDS, describe_share
from tempoftp.states import DELIVERED, ENDING, ON_ITS_WAY, TERMINAL, State

PAGE_SIZE = 20
TEXT_LENGTH = 254
CURSOR_LENGTH = 256


@dataclass(frozen=True, slots=True)
class Action:
    """A change that a page offers. `name` is the last part of its path."""

    name: str
    label: Any
    """A lazy text: it is translated when the page is written."""
    role: Role = Role.CLIENTE
    harmful: bool = False


EXTEND = Action("vigencia", lazy_gettext("Cambiar la vigencia"))
RETRY = Action("reintentar", lazy_gettext("Reintentar"))
PASSWORD = Action("password", lazy_gettext("Contraseña nueva"))
BLOCK = Action("bloquear", lazy_gettext("Bloquear"), Role.OPERADOR, harmful=True)
UNBLOCK = Action("desbloquear", lazy_gettext("Desbloquear"), Role.OPERADOR)
LINKS = Action("enlaces", lazy_gettext("Retirar los enlaces"), harmful=True)
RESTORE = Action("restaurar", lazy_gettext("Restaurar"))
DELETE = Action("eliminar", lazy_gettext("Eliminar"), harmful=True)
ACTIONS = {
    action.name: action for action in (EXTEND, RETRY, PASSWORD, BLOCK, UNBLOCK, LINKS, RESTORE, DELETE)
}


@portal.get("/solicitudes")
@allow(Role.CLIENTE)
def list_page() -> str:
    """Show one page of shares, newest first, with search and filters."""
    filters = {
        "texto": request.args.get("texto", "").strip()[:TEXT_LENGTH],
        "estado": request.args.get("estado", ""),
        "usuario": request.args.get("usuario", "").strip()[:TEXT_LENGTH],
    }
    cursor = request.args.get("cursor", "")[:CURSOR_LENGTH]
    page = find_page(
        **{name: value or None for name, value in filters.items()}, cursor=cursor or None, limite=PAGE_SIZE
    )
    return render_template(
        "portal/list.html",
        page=page,
        filters=filters,
        cursor=cursor,
        states=[state.value for state in State],
        restorable=_find_restorable([row["id"] for row in page["solicitudes"]]),
    )


def _find_restorable(share_ids: list[str]) -> set[str]:
    """Return those of these shares that were deleted and can be restored: only they have a page still."""
    context = get_context()
    query = (
        select(Share, Account)
        .join(Account, Account.name == Share.ftpuser)
        .where(Share.id.in_(share_ids), Share.state == State.ELIMINADO)
    )
    with context.database.read() as session:
        now = database_now(session)
        return {
            share.id
            for share, account in session.execute(query)
            if find_restorable_until(context.settings, share, account, now) is not None
        }


@portal.get(SHARE)
@allow(Role.CLIENTE)
def share_page(id: str) -> str:  # noqa: A002 - the name of the route's part
    """Show a share; never its password."""
    share, events = read_share(id)
    return render_template(
        "portal/share.html",
        share=share,
        events=list(reversed(events)),
        actions=list_actions(share, get_principal().role),
        moving=is_moving(share),
        linkable=share["status"] in LIVING,
        asked=_find_asked_days(share["id"]),
    )


def list_actions(share: Mapping[str, Any], role: Role) -> list[Action]:
    """Return the changes that fit the state of a share (as `describe_share` returns it) and that this role may ask for.

    The functions that carry out a change check again whether it is possible.
    """
    state = State(share["status"])
    living = state in ON_ITS_WAY | DELIVERED
    is_blocked = share.get("alcance") is not None
    offered = {
        EXTEND: living,
        RETRY: state is State.ERROR or (living and share["error"] is not None),
        PASSWORD: living,
        BLOCK: living and not is_blocked,
        UNBLOCK: living and is_blocked,
        LINKS: state in LIVING,
        RESTORE: share["restaurable_hasta"] is not None,
        DELETE: state not in TERMINAL | ENDING,
    }
    return [action for action, fits in offered.items() if fits and role.includes(action.role)]


@portal.get(f"{SHARE}/avance")
@allow(Role.CLIENTE)
def share_progress(id: str) -> str:  # noqa: A002
    """Show the part of the page that changes while work goes on."""
    share, _events = read_share(id)
    return render_template("portal/progress.html", share=share, moving=is_moving(share))


@portal.get(f"{SHARE}/eventos")
@allow(Role.CLIENTE)
def share_events(id: str) -> Response:  # noqa: A002
    """Answer the stream of `GET /tmpftp/{id}/eventos` to a caller with a session."""
    context = get_context()
    share_id = SharePath(id=id).read_id()
    with context.database.read() as session:
        share = find_share(session, share_id, get_principal().emails, deleted=True)
    return answer_stream(context, share, parse_event_number(request.headers.get("Last-Event-ID")))


def read_share(share_id: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a share of the caller without its password, and its events. Raises ShareNotFound.

    A share that was deleted is shown only while it can be restored.
    """
    context = get_context()
    wanted = SharePath(id=share_id).read_id()
    with context.database.read() as session:
        row = find_share(session, wanted, get_principal().emails, deleted=True)
        share = describe_share(session, context.settings, row, gettext)
        if row.state == State.ELIMINADO and share["restaurable_hasta"] is None:
            raise ShareNotFound("share_not_found", id=wanted)
        events = read_events(session, wanted, newest=True, word=say_history)
    return {name: value for name, value in share.items() if name not in SECRET_FIELDS}, events


def _find_asked_days(share_id: str) -> int | None:
    """Return the days of the recipient's request that waits for an operator; None without such a request."""
    with get_context().database.read() as session:
        request = find_last_extension(session, session.get_one(Share, share_id))
        return request.days if request is not None and request.state == Decision.PENDING else None


def is_moving(share: dict[str, Any]) -> bool:
    """Whether the share will soon change by itself, so that the page has to be refreshed."""
    state = State(share["status"])
    return state in ON_ITS_WAY | ENDING or (state in DELIVERED and bool(share["pendiente"]))


@portal.post(f"{SHARE}/credenciales")
@allow(Role.CLIENTE)
def show_credentials(id: str) -> str:  # noqa: A002 - the name of the route's part
    """Show how to log in. It is a POST, so that no link and no reload by address reveals the password."""
    settings, share_id = get_context().settings, SharePath(id=id).read_id()
    credentials = write_change(
        lambda session, caller: reveal_credentials(
            session, settings, share_id, emails=caller["emails"], author=caller["author"]
        )
    )
    share, _events = read_share(share_id)
    return render_template(
        "portal/credentials.html",
        share=share,
        credentials=credentials,
        lines=build_lines(share),
        here=url_for("portal.share_page", id=share_id),
    )
