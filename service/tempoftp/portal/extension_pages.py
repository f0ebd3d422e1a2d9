"""`/portal/prorrogas`: operators see the requests of recipients for more days, and grant or refuse each of them."""

from __future__ import annotations

from flask import flash, redirect, render_template, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from tempoftp.http.access import Role, allow
from tempoftp.http.changes import write_share_change
from tempoftp.http.context import get_context
from tempoftp.http.extensions import build_grant, refuse_days
from tempoftp.http.routes import SharePath
from tempoftp.portal.forms import parse_days, read_field, read_reason
from tempoftp.portal.languages import say_refusal
from tempoftp.portal.routes import SHARE, portal
from tempoftp.refusals import InvalidRequest, LifetimeInPast
from tempoftp.shares.extensions import list_extensions


@portal.get("/prorrogas")
@allow(Role.OPERADOR)
def extensions_page() -> str:
    """Show the requests that wait, oldest first."""
    return _show()


@portal.post(f"{SHARE}/prorroga/aceptar")
@allow(Role.OPERADOR)
def grant(id: str) -> Response | tuple[str, int]:  # noqa: A002 - the name of the route's part
    """Give a share the days that were asked for, or as many as the form says."""
    wanted = SharePath(id=id).read_id()
    typed = read_field("dias")
    days = parse_days(typed)
    if typed and days is None:
        return _show(wanted, gettext("debe ser un número entero")), 422
    try:
        write_share_change(build_grant(wanted, days))
    except (InvalidRequest, LifetimeInPast) as error:
        return _show(wanted, say_refusal(error)), 422
    flash(gettext("Se dieron más días a %(id)s.", id=wanted))
    return redirect(url_for("portal.extensions_page"), 303)


@portal.post(f"{SHARE}/prorroga/rechazar")
@allow(Role.OPERADOR)
def refuse(id: str) -> Response:  # noqa: A002
    """Refuse more days; the recipient's page shows the reason."""
    wanted = SharePath(id=id).read_id()
    refuse_days(wanted, read_reason("respuesta"))
    flash(gettext("No se dieron más días a %(id)s.", id=wanted))
    return redirect(url_for("portal.extensions_page"), 303)


def _show(refused: str | None = None, error: str | None = None) -> str:
    with get_context().database.read() as session:
        requests = list_extensions(session)
    return render_template(
        "portal/extensions.html",
        requests=requests,
        refused=refused,
        error=error,
        here=url_for("portal.extensions_page"),
    )
