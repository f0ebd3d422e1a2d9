"""Pages for operators: the state of the system, pauses, requests for more days, audits, FTP accounts and tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from tempoftp.access.identities import is_identity
from tempoftp.access.tokens import describe_state, list_tokens, revoke_token
from tempoftp.accounts.map import count_living_shares, list_accounts
from tempoftp.audits.serializers import describe_audits
from tempoftp.db.clock import database_now
from tempoftp.db.models import Account, Token
from tempoftp.hosts.space import SpacePoint, forecast_space
from tempoftp.http.access import Role, allow, get_principal
from tempoftp.http.accounts import end_account
from tempoftp.http.audits import audit_and_wait
from tempoftp.http.changes import write_share_change
from tempoftp.http.context import get_context
from tempoftp.http.extensions import build_grant, refuse_days
from tempoftp.http.hosts import pause_ftp_hosts, resume_ftp_hosts
from tempoftp.http.problems import Problem
from tempoftp.http.routes import SharePath
from tempoftp.monitoring.health import read_health, read_overview
from tempoftp.portal.forms import parse_days, read_field, read_reason
from tempoftp.portal.languages import say_refusal
from tempoftp.portal.routes import SHARE, portal
from tempoftp.refusals import AccountNotFound, HostNotFound, InvalidRequest, LifetimeInPast
from tempoftp.shares.changes import list_living_shares
from tempoftp.shares.extensions import list_extensions
from tempoftp.shares.quotas import list_near

FORECAST_DAYS = 14
GRID_LINES = 4
PLOT_WIDTH = 720
PLOT_HEIGHT = 240
PLOT_LEFT = 64
PLOT_RIGHT = 26
PLOT_TOP = 14
PLOT_BOTTOM = 30
"""Size of the plot of free space, then its margins, in the units of the SVG."""


@portal.get("/resumen")
@allow(Role.OPERADOR)
def overview_page() -> str:
    """Show the health of the system, the free space with its forecast, and the copies under way."""
    context = get_context()
    with context.database.read() as session:
        health = read_health(session, context.settings, unreadable=context.key_check.read(session))
        overview = read_overview(session)
        forecast = forecast_space(session, context.settings, days=FORECAST_DAYS)
        quotas = list_near(session, context.settings)
    plot = build_plot(forecast.points, forecast.total) if forecast is not None else None
    return render_template(
        "portal/overview.html",
        health=health,
        overview=overview,
        forecast=forecast,
        plot=plot,
        quotas=quotas,
    )


@dataclass(frozen=True, slots=True)
class Plot:
    """The plot of free space for an inline SVG, which needs no script and no style attribute.

    `grid` is (y, bytes), `days` is (x, day, its number).
    """

    width: int
    height: int
    left: int
    right: int
    bottom: int
    line: str
    area: str
    grid: list[tuple[float, float]]
    days: list[tuple[float, SpacePoint, int]]


def build_plot(points: Sequence[SpacePoint], total: int) -> Plot:
    """Return the plot of free space as steps; the axis begins at zero and ends at the size of the whole disk."""
    ceiling = max(total, *(point.free for point in points), 1)
    right, bottom = PLOT_WIDTH - PLOT_RIGHT, PLOT_HEIGHT - PLOT_BOTTOM
    inner_width, inner_height = right - PLOT_LEFT, bottom - PLOT_TOP
    last = max(len(points) - 1, 1)
    places = [
        (
            round(PLOT_LEFT + inner_width * index / last, 1),
            round(bottom - inner_height * point.free / ceiling, 1),
        )
        for index, point in enumerate(points)
    ]
    steps = f"M{places[0][0]} {places[0][1]}" + "".join(f"H{x}V{y}" for x, y in places[1:])
    grid = [
        (round(bottom - inner_height * part / GRID_LINES, 1), ceiling * part / GRID_LINES)
        for part in range(GRID_LINES + 1)
    ]
    every = max(1, round(last / 6))
    days = [(places[index][0], points[index], index) for index in range(0, len(points), every)]
    area = f"{steps}V{bottom}H{PLOT_LEFT}Z"
    return Plot(PLOT_WIDTH, PLOT_HEIGHT, PLOT_LEFT, right, bottom, steps, area, grid, days)


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


@portal.get("/prorrogas")
@allow(Role.OPERADOR)
def extensions_page() -> str:
    """Show the requests that wait, oldest first."""
    return _show_extensions()


@portal.post(f"{SHARE}/prorroga/aceptar")
@allow(Role.OPERADOR)
def grant_extension(id: str) -> Response | tuple[str, int]:  # noqa: A002 - the name of the route's part
    """Give a share the days that were asked for, or as many as the form says."""
    wanted = SharePath(id=id).read_id()
    typed = read_field("dias")
    days = parse_days(typed)
    if typed and days is None:
        return _show_extensions(wanted, gettext("debe ser un número entero")), 422
    try:
        write_share_change(build_grant(wanted, days))
    except (InvalidRequest, LifetimeInPast) as error:
        return _show_extensions(wanted, say_refusal(error)), 422
    flash(gettext("Se dieron más días a %(id)s.", id=wanted))
    return redirect(url_for("portal.extensions_page"), 303)


@portal.post(f"{SHARE}/prorroga/rechazar")
@allow(Role.OPERADOR)
def refuse_extension(id: str) -> Response:  # noqa: A002
    """Refuse more days; the recipient's page shows the reason."""
    wanted = SharePath(id=id).read_id()
    refuse_days(wanted, read_reason("respuesta"))
    flash(gettext("No se dieron más días a %(id)s.", id=wanted))
    return redirect(url_for("portal.extensions_page"), 303)


def _show_extensions(refused: str | None = None, error: str | None = None) -> str:
    with get_context().database.read() as session:
        requests = list_extensions(session)
    return render_template(
        "portal/extensions.html",
        requests=requests,
        refused=refused,
        error=error,
        here=url_for("portal.extensions_page"),
    )


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
    get_context().transact(lambda session: revoke_token(session, name))
    flash(gettext("El token %(name)s ya no abre nada.", name=name))
    return redirect(url_for("portal.tokens_page"), 303)
