"""`DELETE /tmpftp/user/{ftpuser}`: delete an account with all of its shares."""

from __future__ import annotations

from flask import Response
from pydantic import BaseModel, Field

from tempoftp.db.models import Share
from tempoftp.http.access import Role, allow
from tempoftp.http.answers import answer_change
from tempoftp.http.changes import wait_until_gone, write_change
from tempoftp.http.context import get_context
from tempoftp.http.problems import document_refusals
from tempoftp.http.routes import SHARES_ROUTE, shares
from tempoftp.http.share_changes import name_end
from tempoftp.shares.changes import request_account_deletion


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
    ending = end_account(path.ftpuser)
    done = wait_until_gone(get_context(), ending)
    answer = {
        "status": name_end(done=done),
        "usuario": path.ftpuser,
        "solicitudes": sorted(share.id for share in ending),
    }
    return answer_change(answer, done=done)


def end_account(name: str) -> list[Share]:
    """Have every share of an account deleted; return those that end by it. Raises AccountNotFound."""
    return write_change(
        lambda session, caller: request_account_deletion(
            session, name, author=caller["author"], request_id=caller["request_id"]
        ),
        lambda ending: (share.ftp_host for share in ending),
    )
