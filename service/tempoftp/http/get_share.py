"""`GET /tmpftp/{id}`: step 9 of the flow: the share's row, as the contract words it."""

from __future__ import annotations

from flask import Response

from tempoftp.http.access import Role, allow, get_principal
from tempoftp.http.answers import ShareAnswer, answer_state
from tempoftp.http.context import get_context
from tempoftp.http.problems import document_refusals
from tempoftp.http.routes import SHARE_ROUTE, shares
from tempoftp.http.share_path import SharePath
from tempoftp.shares.serializers import describe_share, find_share
from tempoftp.states import State


@shares.get(
    SHARE_ROUTE,
    summary="Estado de una solicitud y, cuando está lista, cómo entrar",
    responses={200: ShareAnswer, 202: ShareAnswer, **document_refusals(404, 503)},
)
@allow(Role.CLIENTE)
def get_share(path: SharePath) -> Response:
    """Answer 202 while the share is on its way, 200 once it has settled, 404 when there is none."""
    context = get_context()
    share_id = path.read_id()
    with context.database.read() as session:
        share = find_share(session, share_id, get_principal().emails)
        body = describe_share(session, context.settings, share)
        return answer_state(body, State(share.state), eta=share.eta)
