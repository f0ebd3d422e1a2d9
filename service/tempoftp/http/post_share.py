"""`POST /tmpftp`: steps 1 to 3 of the flow: validate, write down what is wanted, wake a worker."""

from __future__ import annotations

from flask import Response, url_for
from pydantic import BaseModel, Field

from tempoftp.http.access import Role, allow, get_author, require_email
from tempoftp.http.answers import answer_state
from tempoftp.http.context import get_context
from tempoftp.http.problems import document_refusals
from tempoftp.http.request_id import get_request_id
from tempoftp.http.routes import SHARES_ROUTE, shares
from tempoftp.http.wake import wake_host
from tempoftp.shares.create import create_share
from tempoftp.shares.schemas import ShareRequest
from tempoftp.states import State


class AcceptedAnswer(BaseModel):
    """The request is written down; its progress is at `Location`."""

    id: str
    status: State = Field(
        description="`recibido`; for a body that was accepted before, the share's present state."
    )


@shares.post(
    SHARES_ROUTE,
    summary="Pedir un acceso temporal",
    responses={
        202: AcceptedAnswer,
        200: AcceptedAnswer,
        **document_refusals(400, 403, 409, 413, 415, 422, 503),
    },
)
@allow(Role.CLIENTE)
def post_share(body: ShareRequest) -> Response:
    """Write the request down and answer at once; a worker does the rest.

    The same body again is answered with the share's present state, and nothing is done twice.
    """
    require_email(body.usuario)
    context = get_context()
    with context.write() as session:
        accepted = create_share(
            session, context.settings, body, author=get_author(), request_id=get_request_id()
        )
        share = accepted.share
        share_id, state, ftp_host = share.id, State(share.state), share.ftp_host
    if accepted.created:
        wake_host(context.settings, ftp_host)
    response = answer_state({"id": share_id, "status": state.value}, state)
    response.headers["Location"] = url_for("shares.get_share", id=share_id)
    return response
