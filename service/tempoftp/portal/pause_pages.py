"""`/portal/servidores/{host}/…`: for operators: pausing an FTP host for maintenance, and resuming it."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from tempoftp.http.access import Role, allow
from tempoftp.http.context import get_context
from tempoftp.http.hosts import pause_ftp_hosts, resume_ftp_hosts
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
    pause_ftp_hosts(host, request.form.get("razon", "").strip()[:REASON_LENGTH] or None)
    flash(gettext("%(host)s está en pausa.", host=host))
    return redirect(url_for("portal.overview_page"), 303)


@portal.post("/servidores/<host>/reanudar")
@allow(Role.OPERADOR)
def resume_host(host: str) -> Response:
    """Let runs start again."""
    resume_ftp_hosts(host)
    flash(gettext("%(host)s sigue trabajando.", host=host))
    return redirect(url_for("portal.overview_page"), 303)
