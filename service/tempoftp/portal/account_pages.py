"""`/portal/cuentas`: for operators: the FTP accounts, and ending one with all of its shares."""

from __future__ import annotations

from flask import flash, redirect, render_template, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from tempoftp.accounts.map import list_accounts
from tempoftp.db.models import Account
from tempoftp.http.access import Role, allow
from tempoftp.http.accounts import end_account
from tempoftp.http.context import get_context
from tempoftp.monitoring.overview import count_living_shares, list_living_shares
from tempoftp.portal.routes import portal
from tempoftp.refusals import AccountNotFound


@portal.get("/cuentas")
@allow(Role.OPERADOR)
def accounts_page() -> str:
    """Show every account, whose it is, and how many shares it has."""
    with get_context().database.read() as session:
        accounts = list_accounts(session)
        counts = count_living_shares(session)
    return render_template("portal/accounts.html", accounts=accounts, counts=counts)


@portal.get("/cuentas/<name>/eliminar")
@allow(Role.OPERADOR)
def ask_account_deletion(name: str) -> str:
    """Ask whether to end an account, and say which shares go with it."""
    with get_context().database.read() as session:
        account = session.get(Account, name)
        shares = list_living_shares(session, name)
    if account is None or not shares:
        raise AccountNotFound(f"la cuenta FTP {name!r} no tiene solicitudes")
    return render_template("portal/ask_account_deletion.html", account=account, shares=shares)


@portal.post("/cuentas/<name>/eliminar")
@allow(Role.OPERADOR)
def delete_account(name: str) -> Response:
    """End an account with all of its shares."""
    end_account(name)
    flash(gettext("Se pidió terminar la cuenta %(name)s con sus solicitudes.", name=name))
    return redirect(url_for("portal.accounts_page"), 303)
