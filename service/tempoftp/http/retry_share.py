"""`POST /tmpftp/{id}/reintentar`: try again what has failed."""

from __future__ import annotations

from flask import Response, url_for

from tempoftp.http.access import Role, allow, get_author, get_principal
from tempoftp.http.answers import answer_state
from tempoftp.http.body import OptionalBody, allow_empty
from tempoftp.http.context import get_context
from tempoftp.http.post_share import AcceptedAnswer
from tempoftp.http.problems import document_refusals
from tempoftp.http.request_id import get_request_id
from tempoftp.http.routes import SHARE_ROUTE, shares
from tempoftp.http.share_path import SharePath
from tempoftp.http.wake import wake_host
from tempoftp.shares.retry import request_retry
from tempoftp.states import State


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
