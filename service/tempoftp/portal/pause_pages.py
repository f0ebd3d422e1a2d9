"""`/portal/servidores/{host}/…`: for operators: pausing an FTP host for maintenance, and resuming it."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from tempoftp.hosts.pauses import pause_hosts, resume_hosts
from tempoftp.http.access import Role, allow, get_author
from tempoftp.http.changes import wake_host
from tempoftp.http.context import get_context
from tempoftp.portal.routes import portal
from tempoftp.refusals import HostNotFound

REASON_LENGTH = 500


@portal.get("/servidores/<host>/pausar")
@allow(Role.OPERADOR)
def ask_pause(host: str) -> str:
    """Ask why."""
    names = get_context().settings.ftp_host_names
    if host not in names:
        raise HostNotFound(f"no hay un servidor FTP {host!r}; hay {', '.join(names)}")
    return render_template("portal/ask_pause.html", host=host)


@portal.post("/servidores/<host>/pausar")
@allow(Role.OPERADOR)
def pause_host(host: str) -> Response:
    """Let no new run start there."""
    context = get_context()
    reason = request.form.get("razon", "").strip()[:REASON_LENGTH] or None
    with context.write() as session:
        pause_hosts(session, context.settings, host, reason=reason, author=get_author())
    flash(gettext("%(host)s está en pausa.", host=host))
    return redirect(url_for("portal.overview_page"), 303)


@portal.post("/servidores/<host>/reanudar")
@allow(Role.OPERADOR)
def resume_host(host: str) -> Response:
    """Let runs start again."""
    context = get_context()
    with context.write() as session:
        resume_hosts(session, context.settings, host)
    wake_host(context.settings, host)
    flash(gettext("%(host)s sigue trabajando.", host=host))
    return redirect(url_for("portal.overview_page"), 303)
