"""`/portal/auditoria`: for operators: what is not as it should be, and repairing what is safe."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from tempoftp.audits.serializers import describe_audits
from tempoftp.http.access import Role, allow
from tempoftp.http.audits import audit_and_wait
from tempoftp.http.context import get_context
from tempoftp.portal.routes import portal


@portal.get("/auditoria")
@allow(Role.OPERADOR)
def audit_page() -> str:
    """Show the last audit of each FTP host."""
    context = get_context()
    with context.database.read() as session:
        audits = describe_audits(session, context.settings)
    repairable = any(
        finding["repair"] == "safe" and not finding["repaired"]
        for host in audits["hosts"].values()
        for finding in host["hallazgos"]
    )
    return render_template("portal/audit.html", audits=audits, repairable=repairable)


@portal.get("/auditoria/reparar")
@allow(Role.OPERADOR)
def ask_repair() -> str:
    """Ask whether to repair."""
    return render_template("portal/ask_repair.html")


@portal.post("/auditoria")
@allow(Role.OPERADOR)
def audit() -> Response:
    """Audit every FTP host, and with `reparar` put right what is safe; wait a bounded time for it."""
    repair = request.form.get("reparar") == "1"
    audit_and_wait(repair=repair)
    flash(gettext("Se pidió auditar y reparar.") if repair else gettext("Se pidió una auditoría."))
    return redirect(url_for("portal.audit_page"), 303)
