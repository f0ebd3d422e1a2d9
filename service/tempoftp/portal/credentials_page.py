"""`/portal/solicitudes/{id}/credenciales`: the password, on demand, and how to log in with it."""

from __future__ import annotations

from flask import render_template, url_for

from tempoftp.http.access import Role, allow
from tempoftp.http.changes import write_change
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
    settings, share_id = get_context().settings, SharePath(id=id).read_id()
    credentials = write_change(
        lambda session, caller: reveal_credentials(
            session, settings, share_id, emails=caller["emails"], author=caller["author"]
        )
    )
    share, _events = read_share(share_id)
    return render_template(
        "portal/credentials.html",
        share=share,
        credentials=credentials,
        lines=build_lines(share),
        here=url_for("portal.share_page", id=share_id),
    )
