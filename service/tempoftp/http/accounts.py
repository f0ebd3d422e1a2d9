"""`DELETE /tmpftp/user/{ftpuser}`: end an account with all of its shares."""

from __future__ import annotations

from flask import Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from tempoftp.db.models import Share
from tempoftp.http.access import Role, allow, get_author
from tempoftp.http.answers import answer_change
from tempoftp.http.changes import wait_for, wake_host
from tempoftp.http.context import get_context
from tempoftp.http.problems import document_refusals
from tempoftp.http.request_id import get_request_id
from tempoftp.http.routes import SHARES_ROUTE, shares
from tempoftp.shares.deletion import request_account_deletion
from tempoftp.states import TERMINAL, State


class AccountPath(BaseModel):
    """The path of one account."""

    ftpuser: str = Field(description="The FTP account.")


class AccountDeletionAnswer(BaseModel):
    """`deleted`: access and data of every share are out of reach; `eliminando`: that goes on by itself."""

    status: str
    usuario: str
    solicitudes: list[str] = Field(description="The shares that go with it.")


@shares.delete(
    f"{SHARES_ROUTE}/user/<ftpuser>",
    summary="Terminar una cuenta con todas sus solicitudes",
    responses={
        200: AccountDeletionAnswer,
        202: AccountDeletionAnswer,
        **document_refusals(403, 404, 503),
    },
)
@allow(Role.OPERADOR)
def delete_account(path: AccountPath) -> Response:
    """Take every share of an account away, and with the last one the account, unless it was there before tempoftp."""
    context = get_context()
    with context.write() as session:
        ending = request_account_deletion(
            session, path.ftpuser, author=get_author(), request_id=get_request_id()
        )
        generations = {share.id: share.generation for share in ending}
        hosts = {share.ftp_host for share in ending}
    for ftp_host in hosts:
        wake_host(context.settings, ftp_host)

    def are_gone(session: Session) -> bool:
        rows = (session.get_one(Share, share_id) for share_id in generations)
        return all(row.generation > generations[row.id] or row.state in TERMINAL for row in rows)

    done = wait_for(context, are_gone)
    answer = {
        "status": "deleted" if done else State.ELIMINANDO.value,
        "usuario": path.ftpuser,
        "solicitudes": sorted(generations),
    }
    return answer_change(answer, done=done)
