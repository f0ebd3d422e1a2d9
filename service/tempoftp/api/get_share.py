"""`GET /tmpftp/{id}`: step 9 of the flow: the share's row, as the contract words it."""

from __future__ import annotations

from flask import Response

from tempoftp.api.access import Role, allow, get_principal
from tempoftp.api.answers import ShareAnswer, answer_state
from tempoftp.api.context import get_context
from tempoftp.api.problems import document_refusals
from tempoftp.api.routes import SHARE_ROUTE, shares
from tempoftp.api.share_path import SharePath
from tempoftp.shares.states import State
from tempoftp.shares.views import describe_share, find_share


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
