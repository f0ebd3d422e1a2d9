"""`POST /enlace/{token}/password`: a new password, once its consequences were confirmed."""

from __future__ import annotations

from flask import Response
from pydantic import BaseModel, Field

from tempoftp.access.links import find_linked_share
from tempoftp.access.recipients import request_new_password
from tempoftp.db.models import Account, Share
from tempoftp.http.access import PUBLIC, allow
from tempoftp.http.answers import answer_change
from tempoftp.http.body import OptionalBody, allow_empty
from tempoftp.http.context import get_context
from tempoftp.http.link_path import LinkPath
from tempoftp.http.problems import document_refusals
from tempoftp.http.request_id import get_request_id
from tempoftp.http.routes import LINK_ROUTE, links
from tempoftp.http.waiting import wait_for_change
from tempoftp.http.wake import wake_host
from tempoftp.shares.desired_state import Pending, list_pending
from tempoftp.shares.rotation import list_opened
from tempoftp.shares.serializers import explain_share
from tempoftp.states import State


class RenewRequest(OptionalBody):
    """Whether the consequences are known."""

    confirmar: bool = Field(
        default=False, description="`true` once the person has read what else the new password opens."
    )


class RenewAnswer(BaseModel):
    """That there is a new password; `POST /enlace/{token}/credenciales` shows it."""

    id: str
    status: State
    usuario: str = Field(description="The FTP account.")
    abre: list[str] = Field(description="Every share that it opens, or will once it is delivered.")
    pendiente: list[Pending]
    mensaje: str


@links.post(
    f"{LINK_ROUTE}/password",
    summary="Contraseña nueva para quien tiene el enlace",
    responses={
        200: RenewAnswer,
        202: RenewAnswer,
        **document_refusals(400, 404, 409, 413, 415, 422, 503),
    },
)
@allow(PUBLIC)
@allow_empty
def renew_by_link(path: LinkPath, body: RenewRequest) -> Response:
    """Make a new password for the share's account: 200 once it works, 202 if it waits.

    Without `confirmar` 409, whose `abre` names the other shares that it opens. So is an account that was there before.
    """
    context = get_context()
    with context.write() as session:
        share = find_linked_share(session, context.settings, path.token)
        share_id, ftp_host = share.id, share.ftp_host
        request_new_password(
            session, context.settings, share, confirmed=body.confirmar, request_id=get_request_id()
        )
    wake_host(context.settings, ftp_host)
    done = wait_for_change(context, share_id, Pending.PASSWORD)
    with context.database.read() as session:
        share = session.get_one(Share, share_id)
        account = session.get_one(Account, share.ftpuser)
        answer = {
            "id": share.id,
            "status": share.state,
            "usuario": account.name,
            "abre": list_opened(session, account),
            "pendiente": [word.value for word in list_pending(share, account)],
            "mensaje": explain_share(session, share),
        }
    return answer_change(answer, done=done)
