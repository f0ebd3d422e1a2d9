"""`/portal/solicitudes/{id}/credenciales`: the password, on demand, and how to log in with it."""

from __future__ import annotations

from flask import render_template, url_for

from tempoftp.http.access import Role, allow, get_author, get_principal
from tempoftp.http.context import get_context
from tempoftp.http.routes import SharePath
from tempoftp.portal.paste_lines import build_lines
from tempoftp.portal.routes import SHARE, portal
from tempoftp.portal.share_page import read_share
from tempoftp.shares.credentials import reveal_credentials


@portal.post(f"{SHARE}/credenciales")
@allow(Role.CLIENTE)
def show_credentials(id: str) -> str:  # noqa: A002 - the name of the route's part
    """Show how to log in. A POST: what reveals a secret is done on purpose, and no address leads to it."""
    context = get_context()
    share_id = SharePath(id=id).read_id()
    with context.write() as session:
        credentials = reveal_credentials(
            session, context.settings, share_id, emails=get_principal().emails, author=get_author()
        )
    share, _events = read_share(share_id)
    return render_template(
        "portal/credentials.html",
        share=share,
        credentials=credentials,
        lines=build_lines(share),
        here=url_for("portal.share_page", id=share_id),
    )
