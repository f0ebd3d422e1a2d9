"""`PATCH /tmpftp/{id}`: extend or shorten a share's life."""

from __future__ import annotations

from flask import Response
from pydantic import BaseModel, ConfigDict, Field

from tempoftp.db.clock import write_time
from tempoftp.db.models import Account, Share
from tempoftp.http.access import Role, allow, get_author, get_principal
from tempoftp.http.answers import answer_change
from tempoftp.http.context import get_context
from tempoftp.http.problems import document_refusals
from tempoftp.http.request_id import get_request_id
from tempoftp.http.routes import SHARE_ROUTE, shares
from tempoftp.http.share_path import SharePath
from tempoftp.http.waiting import wait_for_change
from tempoftp.http.wake import wake_host
from tempoftp.shares.desired_state import Pending, list_pending
from tempoftp.shares.lifetime import request_lifetime
from tempoftp.shares.serializers import explain_share
from tempoftp.states import State


class LifetimeRequest(BaseModel):
    """How long the share is to live."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    vigencia: int = Field(description="Days the share lives, counted from `listo`.", examples=[7])


class LifetimeAnswer(BaseModel):
    """`expira` is the end that the FTP host has confirmed; while `vigencia` is pending, the earlier one."""

    id: str
    status: State
    vigencia: int
    expira: str | None = Field(description="When access and data end: ISO 8601, UTC; null before `listo`.")
    pendiente: list[Pending]
    mensaje: str


@shares.patch(
    SHARE_ROUTE,
    summary="Cambiar la vigencia de una solicitud",
    responses={
        200: LifetimeAnswer,
        202: LifetimeAnswer,
        **document_refusals(400, 404, 409, 413, 415, 422, 503),
    },
)
@allow(Role.CLIENTE)
def patch_share(path: SharePath, body: LifetimeRequest) -> Response:
    """Have a share live so many days from `listo`: 200 once the FTP host has it so, 202 if it waits.

    A share on its way takes it over when it is delivered. What would have ended already is 409.
    """
    context = get_context()
    share_id = path.read_id()
    with context.write() as session:
        share = request_lifetime(
            session,
            context.settings,
            share_id,
            body.vigencia,
            emails=get_principal().emails,
            author=get_author(),
            request_id=get_request_id(),
        )
        ftp_host = share.ftp_host
    wake_host(context.settings, ftp_host)
    done = wait_for_change(context, share_id, Pending.LIFETIME)
    with context.database.read() as session:
        share = session.get_one(Share, share_id)
        pending = list_pending(share, session.get_one(Account, share.ftpuser))
        answer = {
            "id": share.id,
            "status": share.state,
            "vigencia": share.lifetime_days,
            "expira": write_time(share.expires),
            "pendiente": [word.value for word in pending],
            "mensaje": explain_share(session, share),
        }
    return answer_change(answer, done=done)
