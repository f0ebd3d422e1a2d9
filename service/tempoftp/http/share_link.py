"""`POST` and `DELETE /tmpftp/{id}/enlace`: a link for the recipient, and the end of all that there are."""

from __future__ import annotations

from flask import Response, jsonify
from pydantic import BaseModel, Field

from tempoftp.access.links import issue_link, revoke_links
from tempoftp.http.access import Role, allow, get_author, get_principal
from tempoftp.http.body import OptionalBody, allow_empty
from tempoftp.http.context import get_context
from tempoftp.http.problems import document_refusals
from tempoftp.http.request_id import get_request_id
from tempoftp.http.routes import SHARE_ROUTE, shares
from tempoftp.http.share_path import SharePath

LINK_OF_SHARE = f"{SHARE_ROUTE}/enlace"


class LinkRequest(OptionalBody):
    """Nothing needs to be said."""


class NewLinkAnswer(BaseModel):
    """The link: whoever has it can log in to the share."""

    id: str
    enlace: str = Field(description="Its address; without TEMPOFTP_PUBLIC_URL only the path.")


class RevokedAnswer(BaseModel):
    """No link that was made before opens anything."""

    id: str
    enlaces: int = Field(description="How often the links of this id were revoked.")


@shares.post(
    LINK_OF_SHARE,
    summary="Enlace para el destinatario",
    responses={200: NewLinkAnswer, **document_refusals(400, 403, 404, 409, 413, 415, 422, 503)},
)
@allow(Role.OPERADOR)
@allow_empty
def make_share_link(path: SharePath, body: LinkRequest) -> Response:
    """Make another link; earlier ones go on. 409 for a share that is over."""
    context = get_context()
    share_id = path.read_id()
    with context.write() as session:
        link = issue_link(
            session, context.settings, share_id, author=get_author(), request_id=get_request_id()
        )
    response: Response = jsonify({"id": share_id, "enlace": link})
    return response


@shares.delete(
    LINK_OF_SHARE,
    summary="Retirar los enlaces de una solicitud",
    responses={200: RevokedAnswer, **document_refusals(404, 503)},
)
@allow(Role.CLIENTE)
def revoke_share_links(path: SharePath) -> Response:
    """End every link of the share that was made so far, those in mails too."""
    context = get_context()
    share_id = path.read_id()
    with context.write() as session:
        share = revoke_links(
            session,
            share_id,
            emails=get_principal().emails,
            author=get_author(),
            request_id=get_request_id(),
        )
        number = share.link_number
    response: Response = jsonify({"id": share_id, "enlaces": number})
    return response
