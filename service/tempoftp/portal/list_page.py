"""`/portal/solicitudes`: the shares of the caller, with search, filters and paging."""

from __future__ import annotations

from flask import render_template, request

from tempoftp.http.access import Role, allow
from tempoftp.http.shares import find_page
from tempoftp.portal.routes import portal
from tempoftp.states import State

PAGE_SIZE = 20
TEXT_LENGTH = 254
CURSOR_LENGTH = 256


@portal.get("/solicitudes")
@allow(Role.CLIENTE)
def list_page() -> str:
    """Show one page of shares, newest first."""
    filters = {
        "texto": request.args.get("texto", "").strip()[:TEXT_LENGTH],
        "estado": request.args.get("estado", ""),
        "usuario": request.args.get("usuario", "").strip()[:TEXT_LENGTH],
    }
    cursor = request.args.get("cursor", "")[:CURSOR_LENGTH]
    page = find_page(
        **{name: value or None for name, value in filters.items()}, cursor=cursor or None, limite=PAGE_SIZE
    )
    return render_template(
        "portal/list.html", page=page, filters=filters, cursor=cursor, states=[state.value for state in State]
    )
