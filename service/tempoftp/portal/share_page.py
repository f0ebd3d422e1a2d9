"""`/portal/solicitudes/{id}`: one share: how far it is, its history, its downloads, what can be done with it."""

from __future__ import annotations

from typing import Any

from flask import Response, render_template, request

from tempoftp.access.links import LIVING
from tempoftp.db.models import Share
from tempoftp.http.access import Role, allow, get_principal
from tempoftp.http.context import get_context
from tempoftp.http.events import answer_stream, parse_event_number
from tempoftp.http.routes import SharePath
from tempoftp.portal.routes import SHARE, portal
from tempoftp.portal.share_actions import list_actions
from tempoftp.shares.extensions import Decision, find_last_extension
from tempoftp.shares.history import read_events
from tempoftp.shares.serializers import describe_share, find_share
from tempoftp.states import DELIVERED, ENDING, ON_ITS_WAY, State

_HIDDEN = ("password", "password_tipo")


@portal.get(SHARE)
@allow(Role.CLIENTE)
def share_page(id: str) -> str:  # noqa: A002 - the name of the route's part
    """Show a share; never its password."""
    share, events = read_share(id)
    return render_template(
        "portal/share.html",
        share=share,
        events=list(reversed(events)),
        actions=list_actions(share, get_principal().role),
        moving=is_moving(share),
        linkable=share["status"] in LIVING,
        asked=_find_asked_days(share["id"]),
    )


@portal.get(f"{SHARE}/avance")
@allow(Role.CLIENTE)
def share_progress(id: str) -> str:  # noqa: A002
    """Show the part of the page that changes while work goes on."""
    share, _events = read_share(id)
    return render_template("portal/progress.html", share=share, moving=is_moving(share))


@portal.get(f"{SHARE}/eventos")
@allow(Role.CLIENTE)
def share_events(id: str) -> Response:  # noqa: A002
    """Answer the stream of `GET /tmpftp/{id}/eventos`, to who is known by a session."""
    context = get_context()
    share_id = SharePath(id=id).read_id()
    with context.database.read() as session:
        find_share(session, share_id, get_principal().emails, deleted=True)
    return answer_stream(context, share_id, parse_event_number(request.headers.get("Last-Event-ID")))


def read_share(share_id: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a share of the caller without its password, and its events. Raises ShareNotFound."""
    context = get_context()
    wanted = SharePath(id=share_id).read_id()
    with context.database.read() as session:
        row = find_share(session, wanted, get_principal().emails)
        share = describe_share(session, context.settings, row)
        events = read_events(session, wanted)
    return {name: value for name, value in share.items() if name not in _HIDDEN}, events


def _find_asked_days(share_id: str) -> int | None:
    """Return how many more days the recipient waits for; None when nobody waits."""
    with get_context().database.read() as session:
        request = find_last_extension(session, session.get_one(Share, share_id))
        return request.days if request is not None and request.state == Decision.PENDING else None


def is_moving(share: dict[str, Any]) -> bool:
    """Whether the page will soon say something else by itself."""
    state = State(share["status"])
    return state in ON_ITS_WAY | ENDING or (state in DELIVERED and bool(share["pendiente"]))
