"""`POST /tmpftp/{id}/desbloquear`: show a share again, or every share of its account."""

from __future__ import annotations

from flask import Response
from pydantic import Field

from tempoftp.http.access import Role, allow, get_author, get_principal
from tempoftp.http.block_share import BlockAnswer, Scope, answer_block
from tempoftp.http.body import OptionalBody, allow_empty
from tempoftp.http.context import get_context
from tempoftp.http.problems import document_refusals
from tempoftp.http.request_id import get_request_id
from tempoftp.http.routes import SHARE_ROUTE, shares
from tempoftp.http.share_path import SharePath
from tempoftp.http.wake import wake_host
from tempoftp.shares.blocking import request_unblock


class UnblockRequest(OptionalBody):
    """What to unblock."""

    alcance: Scope = Field(default="solicitud", description="This share, or its account with every share.")


@shares.post(
    f"{SHARE_ROUTE}/desbloquear",
    summary="Desbloquear una solicitud o su cuenta",
    responses={
        200: BlockAnswer,
        202: BlockAnswer,
        **document_refusals(400, 403, 404, 409, 413, 415, 422, 503),
    },
)
@allow(Role.OPERADOR)
@allow_empty
def unblock_share(path: SharePath, body: UnblockRequest) -> Response:
    """Put a share back into its account's home: 200 once it is there, 202 if it waits. Its end stays what it was.

    With `alcance: cuenta` a share that was blocked for itself stays blocked.
    """
    context = get_context()
    share_id = path.read_id()
    with context.write() as session:
        share = request_unblock(
            session,
            share_id,
            whole_account=body.alcance == "cuenta",
            emails=get_principal().emails,
            author=get_author(),
            request_id=get_request_id(),
        )
        ftp_host = share.ftp_host
    wake_host(context.settings, ftp_host)
    return answer_block(context, share_id)
