"""`/portal/solicitudes/{id}/enlace` and `…/enlaces`: a link for a share's recipient, and the end of all there are."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from tempoftp.http.access import Role, allow
from tempoftp.http.context import get_context
from tempoftp.http.links import create_link, revoke_all_links
from tempoftp.http.routes import SharePath
from tempoftp.portal.routes import SHARE, portal
from tempoftp.portal.share_changes import ask_about


@portal.post(f"{SHARE}/enlace")
@allow(Role.OPERADOR)
def make_recipient_link(id: str) -> str:  # noqa: A002 - the name of the route's part
    """Make another link and show it, this once; earlier ones go on."""
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
    """Ask whether to end every link of a share."""
    return ask_about("enlaces", id)


@portal.post(f"{SHARE}/enlaces")
@allow(Role.CLIENTE)
def revoke_recipient_links(id: str) -> Response:  # noqa: A002
    """End every link of a share that was made so far."""
    wanted = SharePath(id=id).read_id()
    revoke_all_links(wanted)
    flash(gettext("Ningún enlace que se hizo hasta ahora abre ya la solicitud."))
    return redirect(url_for("portal.share_page", id=wanted), 303)
