"""`POST /tmpftp/{id}/reintentar`: try again what has failed."""

from __future__ import annotations

from flask import Response, url_for

from tempoftp.api.access import Role, allow, get_author, get_principal
from tempoftp.api.answers import answer_state
from tempoftp.api.body import OptionalBody, allow_empty
from tempoftp.api.context import get_context
from tempoftp.api.post_share import AcceptedAnswer
from tempoftp.api.problems import document_refusals
from tempoftp.api.request_id import get_request_id
from tempoftp.api.routes import SHARE_ROUTE, shares
from tempoftp.api.share_path import SharePath
from tempoftp.api.wake import wake_host
from tempoftp.shares.retry import request_retry
from tempoftp.shares.states import State


class RetryRequest(OptionalBody):
    """Nothing needs to be said."""


@shares.post(
    f"{SHARE_ROUTE}/reintentar",
    summary="Reintentar una solicitud que falló",
    responses={
        200: AcceptedAnswer,
        202: AcceptedAnswer,
        **document_refusals(400, 404, 409, 413, 415, 422, 503),
    },
)
@allow(Role.CLIENTE)
@allow_empty
def retry_share(path: SharePath, body: RetryRequest) -> Response:
    """Begin a share in `error` again, from what was copied; one that waits for its next try is tried at once."""
    context = get_context()
    share_id = path.read_id()
    with context.write() as session:
        share = request_retry(
            session,
            context.settings,
            share_id,
            emails=get_principal().emails,
            author=get_author(),
            request_id=get_request_id(),
        )
        state, ftp_host = State(share.state), share.ftp_host
    wake_host(context.settings, ftp_host)
    response = answer_state({"id": share_id, "status": state.value}, state)
    response.headers["Location"] = url_for("shares.get_share", id=share_id)
    return response
