"""`/portal/enlace/{token}`: one share for the holder of its link. `GET /enlace/{token}` redirects a browser to it.

The link is the credential: no token and no session is needed. The pages call the same functions as the routes of the
API below `/enlace/{token}`.
"""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from tempoftp.access.links import find_linked_share
from tempoftp.access.recipients import (
    describe_for_recipient,
    list_others_opened,
)
from tempoftp.http.access import PUBLIC, allow
from tempoftp.http.changes import write_share_change
from tempoftp.http.context import get_context
from tempoftp.http.extensions import ask_for_days
from tempoftp.http.links import build_renewal, reveal_to_holder
from tempoftp.portal.forms import parse_days, read_field, read_reason
from tempoftp.portal.languages import say_refusal
from tempoftp.portal.paste_lines import build_lines
from tempoftp.portal.routes import LINK, portal
from tempoftp.portal.share_pages import is_moving
from tempoftp.refusals import InvalidRequest
from tempoftp.shares.extensions import EXTENSIBLE
from tempoftp.states import State


@portal.get(LINK)
@allow(PUBLIC)
def link_page(token: str) -> str:
    """Show the share; never its password."""
    return _show(token)


@portal.get(f"{LINK}/avance")
@allow(PUBLIC)
def link_progress(token: str) -> str:
    """Show the part of the page that changes while work goes on."""
    share = _read_share(token)
    return render_template("portal/progress.html", share=share, moving=is_moving(share))


@portal.post(f"{LINK}/credenciales")
@allow(PUBLIC)
def show_link_credentials(token: str) -> str:
    """Show how to log in. It is a POST, so that a mail program that previews the link does not reveal the password."""
    access = reveal_to_holder(token)
    return render_template(
        "portal/link_credentials.html",
        token=token,
        here=url_for("portal.link_page", token=token),
        access=access,
        shown=access["password_estado"],
        lines=build_lines(access),
    )


@portal.get(f"{LINK}/password")
@allow(PUBLIC)
def ask_link_password(token: str) -> str:
    """Ask whether to make a new password, and show which other shares it opens."""
    context = get_context()
    with context.database.read() as session:
        share = find_linked_share(session, context.settings, token)
        others = list_others_opened(session, share)
        share_id = share.id
    return render_template("portal/link_password.html", token=token, share_id=share_id, others=others)


@portal.post(f"{LINK}/password")
@allow(PUBLIC)
def change_link_password(token: str) -> Response:
    """Make a new password; the page before showed which shares it opens."""
    write_share_change(build_renewal(token, confirmed=True))
    flash(gettext("Hay una contraseña nueva; vale en cuanto el servidor FTP la confirme."))
    return redirect(url_for("portal.link_page", token=token), 303)


@portal.post(f"{LINK}/prorroga")
@allow(PUBLIC)
def ask_more_days(token: str) -> Response | tuple[str, int]:
    """Ask for more days; an operator grants or refuses them."""
    typed = {name: read_field(name) for name in ("dias", "motivo")}
    days = parse_days(typed["dias"])
    if days is None:
        return _show(token, error=gettext("debe ser un número entero"), typed=typed), 422
    try:
        ask_for_days(token, days, read_reason("motivo"))
    except InvalidRequest as error:
        return _show(token, error=say_refusal(error), typed=typed), 422
    flash(gettext("Se pidieron más días. La respuesta aparecerá en esta página."))
    return redirect(url_for("portal.link_page", token=token), 303)


def _read_share(token: str) -> dict[str, Any]:
    context = get_context()
    with context.database.read() as session:
        share = find_linked_share(session, context.settings, token)
        return describe_for_recipient(session, context.settings, share, gettext)


def _show(token: str, *, error: str | None = None, typed: dict[str, str] | None = None) -> str:
    share = _read_share(token)
    left = share["vigencia_maxima"] - share["vigencia"]
    return render_template(
        "portal/link.html",
        token=token,
        here=url_for("portal.link_page", token=token),
        share=share,
        moving=is_moving(share),
        days_left=left if State(share["status"]) in EXTENSIBLE else 0,
        error=error,
        typed=typed,
    )
