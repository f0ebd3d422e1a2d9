"""`POST /tmpftp/{id}/password`: a new password for the share's account, the only way to one."""

from __future__ import annotations

from typing import Literal

from flask import Response
from pydantic import BaseModel, Field

from tempoftp.db.models import Account, Share
from tempoftp.http.access import Role, allow, get_author, get_principal
from tempoftp.http.answers import answer_change
from tempoftp.http.body import OptionalBody, allow_empty
from tempoftp.http.context import get_context
from tempoftp.http.problems import document_refusals
from tempoftp.http.request_id import get_request_id
from tempoftp.http.routes import SHARE_ROUTE, shares
from tempoftp.http.share_path import SharePath
from tempoftp.http.waiting import wait_for_change
from tempoftp.http.wake import wake_host
from tempoftp.shares.desired_state import Pending, list_pending
from tempoftp.shares.rotation import list_opened, request_rotation
from tempoftp.shares.serializers import explain_share
from tempoftp.states import State


class PasswordRequest(OptionalBody):
    """Nothing needs to be said."""


class PasswordAnswer(BaseModel):
    """The new password. While `password` is pending, the FTP host still takes the old one."""

    id: str
    status: State
    usuario: str = Field(description="The FTP account.")
    password: str = Field(description="A Fernet token.")
    password_tipo: Literal["fernet"]
    abre: list[str] = Field(description="Every share that it opens, or will once it is delivered.")
    pendiente: list[Pending]
    mensaje: str


@shares.post(
    f"{SHARE_ROUTE}/password",
    summary="Contraseña nueva para la cuenta de una solicitud",
    responses={
        200: PasswordAnswer,
        202: PasswordAnswer,
        **document_refusals(400, 404, 409, 413, 415, 422, 503),
    },
)
@allow(Role.CLIENTE)
@allow_empty
def rotate_password(path: SharePath, body: PasswordRequest) -> Response:
    """Make a new password, and end what is open with the old one: 200 once it works, 202 if it waits.

    It is the account's: it opens all of its shares, as `abre` says. An account that was there before tempoftp is 409.
    """
    context = get_context()
    share_id = path.read_id()
    with context.write() as session:
        share, account = request_rotation(
            session,
            context.settings,
            share_id,
            emails=get_principal().emails,
            author=get_author(),
            request_id=get_request_id(),
        )
        ftp_host, token = share.ftp_host, account.token
    wake_host(context.settings, ftp_host)
    done = wait_for_change(context, share_id, Pending.PASSWORD)
    with context.database.read() as session:
        share = session.get_one(Share, share_id)
        account = session.get_one(Account, share.ftpuser)
        answer = {
            "id": share.id,
            "status": share.state,
            "usuario": account.name,
            "password": token,
            "password_tipo": "fernet",
            "abre": list_opened(session, account),
            "pendiente": [word.value for word in list_pending(share, account)],
            "mensaje": explain_share(session, share),
        }
    return answer_change(answer, done=done)
