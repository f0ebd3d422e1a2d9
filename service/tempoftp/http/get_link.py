"""`GET /enlace/{token}`: a share as its recipient sees it, who has a link and no token."""

from __future__ import annotations

from typing import cast

from flask import Response, redirect, request, url_for
from pydantic import BaseModel, Field

from tempoftp.access.links import find_linked_share
from tempoftp.access.recipients import describe_for_recipient
from tempoftp.http.access import PUBLIC, allow
from tempoftp.http.answers import ShareAnswer, answer_state
from tempoftp.http.context import get_context
from tempoftp.http.link_path import LinkPath
from tempoftp.http.problems import document_refusals
from tempoftp.http.routes import LINK_ROUTE, links
from tempoftp.shares.extensions import Decision
from tempoftp.states import State


class Extension(BaseModel):
    """A request for more days."""

    dias: int = Field(description="Days more than the share has; once granted, those that it got.")
    motivo: str | None
    estado: Decision
    pedida: str = Field(description="ISO 8601, UTC.")
    decidida: str | None
    respuesta: str | None = Field(description="What the operator says to it.")


class LinkAnswer(ShareAnswer):
    """The share without its credentials, and what became of the last request for more days."""

    vigencia_maxima: int = Field(description="Most days that a share may have.")
    prorroga: Extension | None


@links.get(
    LINK_ROUTE,
    summary="Estado de una solicitud para quien tiene su enlace",
    responses={
        200: LinkAnswer,
        202: LinkAnswer,
        303: {"description": "To the page of the link, for who prefers HTML."},
        **document_refusals(404, 503),
    },
)
@allow(PUBLIC)
def get_link(path: LinkPath) -> Response:
    """Answer 202 while the share is on its way, 200 once it has settled; never a password.

    404 for a link that is none, has ended with its share or its time, or was revoked: all alike. 303 to its page when
    `Accept` prefers HTML.
    """
    if request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html":
        return _lead_to_page(path.token)
    context = get_context()
    with context.database.read() as session:
        share = find_linked_share(session, context.settings, path.token)
        body = describe_for_recipient(session, context.settings, share)
        response = answer_state(body, State(share.state), eta=share.eta)
        response.headers["Vary"] = "Accept"
        return response


def _lead_to_page(token: str) -> Response:
    response = redirect(url_for("portal.link_page", token=token), 303)
    response.headers["Vary"] = "Accept"
    return cast(Response, response)
