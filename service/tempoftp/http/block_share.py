"""`POST /tmpftp/{id}/bloquear`: hide a share, or block its whole account."""

from __future__ import annotations

from typing import Annotated, Literal

from flask import Response
from pydantic import BaseModel, Field, StringConstraints

from tempoftp.db.models import Account, Share
from tempoftp.http.access import Role, allow, get_author, get_principal
from tempoftp.http.answers import answer_change
from tempoftp.http.body import OptionalBody, allow_empty
from tempoftp.http.context import ApiContext, get_context
from tempoftp.http.problems import document_refusals
from tempoftp.http.request_id import get_request_id
from tempoftp.http.routes import SHARE_ROUTE, shares
from tempoftp.http.share_path import SharePath
from tempoftp.http.waiting import wait_for_change
from tempoftp.http.wake import wake_host
from tempoftp.shares.blocking import request_block
from tempoftp.shares.desired_state import Pending, list_pending
from tempoftp.shares.serializers import describe_block, explain_share
from tempoftp.states import State

Scope = Literal["solicitud", "cuenta"]
BLOCK_ROUTE = f"{SHARE_ROUTE}/bloquear"


class BlockRequest(OptionalBody):
    """What to block, and why."""

    razon: Annotated[str, StringConstraints(max_length=500)] | None = Field(
        default=None, description="Why; it stands in the history and in the answers."
    )
    descargas: int | None = Field(
        default=None, ge=0, description="How many downloads were seen; it goes into the history with `razon`."
    )
    alcance: Scope = Field(default="solicitud", description="This share, or its account with every share.")


class BlockAnswer(BaseModel):
    """The share as it is now; `pendiente` is empty once the FTP host has confirmed."""

    status: State
    id: str
    usuario: str = Field(description="The FTP account.")
    razon: str | None
    alcance: Scope
    en_mysql: bool = Field(description="Whether the login is blocked in MySQL.")
    pendiente: list[Pending]
    mensaje: str


@shares.post(
    BLOCK_ROUTE,
    summary="Bloquear una solicitud o su cuenta",
    responses={
        200: BlockAnswer,
        202: BlockAnswer,
        **document_refusals(400, 403, 404, 409, 413, 415, 422, 503),
    },
)
@allow(Role.OPERADOR)
@allow_empty
def block_share(path: SharePath, body: BlockRequest) -> Response:
    """Take a share out of its account's sight and end the account's sessions: 200 once that is so, 202 if it waits.

    The last visible share of an account takes the login along. A share on its way will be delivered hidden.
    """
    context = get_context()
    share_id = path.read_id()
    with context.write() as session:
        share = request_block(
            session,
            share_id,
            whole_account=body.alcance == "cuenta",
            reason=build_reason(body),
            emails=get_principal().emails,
            author=get_author(),
            request_id=get_request_id(),
        )
        ftp_host = share.ftp_host
    wake_host(context.settings, ftp_host)
    return answer_block(context, share_id)


def build_reason(body: BlockRequest) -> str | None:
    """Return the reason, with the number of downloads when that was given."""
    count = None if body.descargas is None else f"{body.descargas} descargas"
    return "; ".join(part for part in (body.razon, count) if part) or None


def answer_block(context: ApiContext, share_id: str) -> Response:
    """Wait a bounded time for a block, or its end, to be carried out, and answer how the share is then."""
    done = wait_for_change(context, share_id, Pending.BLOCK, Pending.UNBLOCK, Pending.OTHER)
    with context.database.read() as session:
        share = session.get_one(Share, share_id)
        account = session.get_one(Account, share.ftpuser)
        pending = list_pending(share, account)
        body = {
            "status": share.state,
            "id": share.id,
            **describe_block(share, account),
            "pendiente": [word.value for word in pending],
            "mensaje": explain_share(session, share),
        }
    return answer_change(body, done=done)
