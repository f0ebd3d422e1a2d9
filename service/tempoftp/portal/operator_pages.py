"""Pages for operators: the state of the system, pauses, audits, FTP accounts and tokens."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from tempoftp.access.identities import is_identity
from tempoftp.access.tokens import describe_state, list_tokens, revoke_token
from tempoftp.accounts.map import list_accounts
from tempoftp.audits.serializers import describe_audits
from tempoftp.db.clock import database_now
from tempoftp.db.models import Account, Token
from tempoftp.hosts.space import forecast_space
from tempoftp.http.access import Role, allow, get_principal
from tempoftp.http.accounts import end_account
from tempoftp.http.audits import audit_and_wait
from tempoftp.http.context import get_context
from tempoftp.http.hosts import pause_ftp_hosts, resume_ftp_hosts
from tempoftp.http.problems import Problem
from tempoftp.monitoring.health import read_health
from tempoftp.monitoring.overview import count_living_shares, list_living_shares, read_overview
from tempoftp.portal.forms import read_reason
from tempoftp.portal.plot import build_plot
from tempoftp.portal.routes import portal
from tempoftp.refusals import AccountNotFound, HostNotFound

FORECAST_DAYS = 14


@portal.get("/resumen")
@allow(Role.OPERADOR)
def overview_page() -> str:
    """Show the health of the system, the free space with its forecast, and the copies under way."""
    context = get_context()
    with context.database.read() as session:
        health = read_health(session, context.settings, unreadable=context.key_check.read(session))
        overview = read_overview(session)
        forecast = forecast_space(session, context.settings, days=FORECAST_DAYS)
    plot = build_plot(forecast.points, forecast.total) if forecast is not None else None
    return render_template(
        "portal/overview.html", health=health, overview=overview, forecast=forecast, plot=plot
    )


@portal.get("/servidores/<host>/pausar")
@allow(Role.OPERADOR)
def ask_pause(host: str) -> str:
    """Ask why the FTP host is to be paused."""
    names = get_context().settings.ftp_host_names
    if host not in names:
        raise HostNotFound("host_not_found", name=host, names=list(names))
    return render_template("portal/ask_pause.html", host=host)


@portal.post("/servidores/<host>/pausar")
@allow(Role.OPERADOR)
def pause_host(host: str) -> Response:
    """Pause an FTP host: no new run starts on it."""
    pause_ftp_hosts(host, read_reason("razon"))
    flash(gettext("%(host)s está en pausa.", host=host))
    return redirect(url_for("portal.overview_page"), 303)


@portal.post("/servidores/<host>/reanudar")
@allow(Role.OPERADOR)
def resume_host(host: str) -> Response:
    """Resume an FTP host."""
    resume_ftp_hosts(host)
    flash(gettext("%(host)s sigue trabajando.", host=host))
    return redirect(url_for("portal.overview_page"), 303)


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
    """Ask whether to repair what the audit found."""
    return render_template("portal/ask_repair.html")


@portal.post("/auditoria")
@allow(Role.OPERADOR)
def audit() -> Response:
    """Audit every FTP host, with `reparar` also repair what is safe; wait a bounded time for it."""
    repair = request.form.get("reparar") == "1"
    audit_and_wait(repair=repair)
    flash(gettext("Se pidió auditar y reparar.") if repair else gettext("Se pidió una auditoría."))
    return redirect(url_for("portal.audit_page"), 303)


@portal.get("/cuentas")
@allow(Role.OPERADOR)
def accounts_page() -> str:
    """Show every account with its e-mail and how many shares it has."""
    with get_context().database.read() as session:
        accounts = list_accounts(session)
        counts = count_living_shares(session)
    return render_template("portal/accounts.html", accounts=accounts, counts=counts)


@portal.get("/cuentas/<name>/eliminar")
@allow(Role.OPERADOR)
def ask_account_deletion(name: str) -> str:
    """Ask whether to delete an account, and show which shares are deleted with it."""
    with get_context().database.read() as session:
        account = session.get(Account, name)
        shares = list_living_shares(session, name)
    if account is None or not shares:
        raise AccountNotFound("account_not_found", name=name)
    return render_template("portal/ask_account_deletion.html", account=account, shares=shares)


@portal.post("/cuentas/<name>/eliminar")
@allow(Role.OPERADOR)
def delete_account(name: str) -> Response:
    """Delete an account with all of its shares."""
    end_account(name)
    flash(gettext("Se pidió terminar la cuenta %(name)s con sus solicitudes.", name=name))
    return redirect(url_for("portal.accounts_page"), 303)


@portal.get("/tokens")
@allow(Role.OPERADOR)
def tokens_page() -> str:
    """Show every token, but not its text, which the database does not have."""
    with get_context().database.read() as session:
        now = database_now(session)
        tokens = [(token, describe_state(token, now)) for token in list_tokens(session)]
    has_people = any(is_identity(token.name) for token, _state in tokens)
    return render_template("portal/tokens.html", tokens=tokens, has_people=has_people)


@portal.get("/tokens/<name>/revocar")
@allow(Role.OPERADOR)
def ask_revocation(name: str) -> str:
    """Ask whether to revoke a token."""
    with get_context().database.read() as session:
        token = session.get(Token, name)
    if token is None:
        raise Problem("token_not_found")
    own = name == get_principal().name
    return render_template("portal/ask_revocation.html", token=token, own=own, is_person=is_identity(name))


@portal.post("/tokens/<name>/revocar")
@allow(Role.OPERADOR)
def revoke(name: str) -> Response:
    """Revoke a token, which ends every session that was begun with it."""
    with get_context().write() as session:
        revoke_token(session, name)
    flash(gettext("El token %(name)s ya no abre nada.", name=name))
    return redirect(url_for("portal.tokens_page"), 303)
