"""`/portal/solicitudes/{id}/{change}`: a page that asks first (GET), then the change itself (POST)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from tempoftp.db.models import Account, Share
from tempoftp.http.access import Role, allow, get_principal
from tempoftp.http.changes import Caller, write_share_change
from tempoftp.http.context import get_context
from tempoftp.http.links import create_link, revoke_all_links
from tempoftp.http.routes import SharePath
from tempoftp.portal.forms import parse_days, read_field, read_reason
from tempoftp.portal.languages import say_refusal
from tempoftp.portal.routes import SHARE, portal
from tempoftp.portal.share_pages import ACTIONS, read_share
from tempoftp.refusals import InvalidRequest, LifetimeInPast
from tempoftp.shares.changes import (
    request_block,
    request_deletion,
    request_lifetime,
    request_retry,
    request_unblock,
)
from tempoftp.shares.credentials import list_opened, request_rotation
from tempoftp.shares.restore import request_restore

WriteShare = Callable[[Session, str, Caller], Share]


def ask_about(name: str, share_id: str, **values: Any) -> str:
    """Show the page that asks before a change."""
    share, _events = read_share(share_id)
    context = get_context()
    with context.database.read() as session:
        row = session.get_one(Share, share["id"])
        account = session.get_one(Account, row.ftpuser)
        others = [other for other in list_opened(session, account) if other != row.id]
    return render_template(
        f"portal/ask_{name}.html",
        share=share,
        action=ACTIONS[name],
        others=others if get_principal().may_act_for(row.email) else [],
        settings=context.settings,
        **{"error": None, **values},
    )


def _request_change(share_id: str, write: WriteShare, done: str, *, back_to_list: bool = False) -> Response:
    """Write the change down and redirect to the share, whose page shows when the FTP host has confirmed it."""
    wanted = SharePath(id=share_id).read_id()
    write_share_change(lambda session, caller: write(session, wanted, caller))
    flash(done)
    page = url_for("portal.list_page") if back_to_list else url_for("portal.share_page", id=wanted)
    return redirect(page, 303)


@portal.get(f"{SHARE}/vigencia")
@allow(Role.CLIENTE)
def ask_lifetime(id: str) -> str:  # noqa: A002 - the name of the route's part
    """Ask how many days the share is to live."""
    return ask_about("vigencia", id)


@portal.post(f"{SHARE}/vigencia")
@allow(Role.CLIENTE)
def change_lifetime(id: str) -> Response | tuple[str, int]:  # noqa: A002
    """Extend or shorten the life of a share."""
    typed = read_field("vigencia")
    days = parse_days(typed)
    if days is None:
        return ask_about("vigencia", id, error=gettext("debe ser un número entero"), typed=typed), 422
    settings = get_context().settings
    try:
        return _request_change(
            id,
            lambda session, share_id, caller: request_lifetime(session, settings, share_id, days, **caller),
            gettext("Se pidió la vigencia nueva."),
        )
    except (InvalidRequest, LifetimeInPast) as error:
        return ask_about("vigencia", id, error=say_refusal(error), typed=typed), 422


@portal.get(f"{SHARE}/reintentar")
@allow(Role.CLIENTE)
def ask_retry(id: str) -> str:  # noqa: A002
    """Ask whether to try again."""
    return ask_about("reintentar", id)


@portal.post(f"{SHARE}/reintentar")
@allow(Role.CLIENTE)
def retry(id: str) -> Response:  # noqa: A002
    """Try again what has failed."""
    settings = get_context().settings
    return _request_change(
        id,
        lambda session, share_id, caller: request_retry(session, settings, share_id, **caller),
        gettext("Se intenta otra vez."),
    )


@portal.get(f"{SHARE}/restaurar")
@allow(Role.CLIENTE)
def ask_restore(id: str) -> str:  # noqa: A002
    """Ask whether to restore a share that has ended."""
    return ask_about("restaurar", id)


@portal.post(f"{SHARE}/restaurar")
@allow(Role.CLIENTE)
def restore(id: str) -> Response:  # noqa: A002
    """Bring back a share that has ended, while its FTP host keeps the data."""
    settings = get_context().settings
    return _request_change(
        id,
        lambda session, share_id, caller: request_restore(session, settings, share_id, **caller),
        gettext("Se pidió restaurar la solicitud."),
    )


@portal.get(f"{SHARE}/password")
@allow(Role.CLIENTE)
def ask_password(id: str) -> str:  # noqa: A002
    """Ask whether to make a new password, and show which other shares it opens."""
    return ask_about("password", id)


@portal.post(f"{SHARE}/password")
@allow(Role.CLIENTE)
def change_password(id: str) -> Response:  # noqa: A002
    """Make a new password."""
    settings = get_context().settings
    return _request_change(
        id,
        lambda session, share_id, caller: request_rotation(session, settings, share_id, **caller)[0],
        gettext("Hay una contraseña nueva; vale en cuanto el servidor FTP la confirme."),
    )


@portal.get(f"{SHARE}/bloquear")
@allow(Role.OPERADOR)
def ask_block(id: str) -> str:  # noqa: A002
    """Ask whether to block the share or its account, and why."""
    return ask_about("bloquear", id)


@portal.post(f"{SHARE}/bloquear")
@allow(Role.OPERADOR)
def block(id: str) -> Response:  # noqa: A002
    """Hide a share, or block its account."""
    reason = read_reason("razon")
    return _request_change(
        id,
        lambda session, share_id, caller: request_block(
            session, share_id, whole_account=_is_whole_account(), reason=reason, **caller
        ),
        gettext("Se pidió el bloqueo."),
    )


@portal.get(f"{SHARE}/desbloquear")
@allow(Role.OPERADOR)
def ask_unblock(id: str) -> str:  # noqa: A002
    """Ask whether to unblock the share or its account."""
    return ask_about("desbloquear", id)


@portal.post(f"{SHARE}/desbloquear")
@allow(Role.OPERADOR)
def unblock(id: str) -> Response:  # noqa: A002
    """Show a share again, or every share of its account."""
    return _request_change(
        id,
        lambda session, share_id, caller: request_unblock(
            session, share_id, whole_account=_is_whole_account(), **caller
        ),
        gettext("Se pidió el desbloqueo."),
    )


def _is_whole_account() -> bool:
    return request.form.get("alcance") == "cuenta"


@portal.get(f"{SHARE}/eliminar")
@allow(Role.CLIENTE)
def ask_deletion(id: str) -> str:  # noqa: A002
    """Ask whether to delete a share."""
    return ask_about("eliminar", id)


@portal.post(f"{SHARE}/eliminar")
@allow(Role.CLIENTE)
def delete(id: str) -> Response:  # noqa: A002
    """Delete a share: its access and its data."""
    return _request_change(
        id,
        lambda session, share_id, caller: request_deletion(session, share_id, **caller),
        gettext("Se pidió eliminar %(id)s. El acceso y los datos se retiran ahora.", id=id),
        # The page of a deleted share answers 404.
        back_to_list=True,
    )


@portal.post(f"{SHARE}/enlace")
@allow(Role.OPERADOR)
def make_recipient_link(id: str) -> str:  # noqa: A002 - the name of the route's part
    """Make another link and show it; it is shown only once. Earlier links stay valid."""
    wanted = SharePath(id=id).read_id()
    # Without a configured address: recipients perhaps reach the service as this operator does.
    link = create_link(wanted, base=request.host_url.rstrip("/"))
    return render_template(
        "portal/recipient_link.html",
        share_id=wanted,
        link=link,
        days=get_context().settings.link_days,
        here=url_for("portal.share_page", id=wanted),
    )


@portal.get(f"{SHARE}/enlaces")
@allow(Role.CLIENTE)
def ask_link_revocation(id: str) -> str:  # noqa: A002
    """Ask whether to revoke every link of a share."""
    return ask_about("enlaces", id)


@portal.post(f"{SHARE}/enlaces")
@allow(Role.CLIENTE)
def revoke_recipient_links(id: str) -> Response:  # noqa: A002
    """Revoke every link of a share that was made so far."""
    wanted = SharePath(id=id).read_id()
    revoke_all_links(wanted)
    flash(gettext("Ningún enlace que se hizo hasta ahora abre ya la solicitud."))
    return redirect(url_for("portal.share_page", id=wanted), 303)
