"""`DELETE /tmpftp/{id}`: ask for a share's end, and wait a bounded time for it."""

from __future__ import annotations

from flask import Response
from pydantic import BaseModel
from sqlalchemy.orm import Session

from tempoftp.db.models import Share
from tempoftp.http.access import Role, allow, get_author, get_principal
from tempoftp.http.answers import answer_state
from tempoftp.http.context import ApiContext, get_context
from tempoftp.http.problems import document_refusals
from tempoftp.http.request_id import get_request_id
from tempoftp.http.routes import SHARE_ROUTE, shares
from tempoftp.http.share_path import SharePath
from tempoftp.http.waiting import wait_for
from tempoftp.http.wake import wake_host
from tempoftp.shares.deletion import request_deletion
from tempoftp.states import TERMINAL, State


class DeletionAnswer(BaseModel):
    """`deleted`: access and data are out of reach; `eliminando`: that is under way and goes on by itself."""

    status: str
    id: str


@shares.delete(
    SHARE_ROUTE,
    summary="Terminar un acceso temporal",
    responses={200: DeletionAnswer, 202: DeletionAnswer, **document_refusals(404, 503)},
)
@allow(Role.CLIENTE)
def delete_share(path: SharePath) -> Response:
    """Take access and data away: 200 once both are gone, 202 if that takes longer than the bounded wait."""
    context = get_context()
    share_id = path.read_id()
    with context.write() as session:
        share = request_deletion(
            session,
            share_id,
            emails=get_principal().emails,
            author=get_author(),
            request_id=get_request_id(),
        )
        ftp_host, generation, state = share.ftp_host, share.generation, State(share.state)
    if state not in TERMINAL:
        wake_host(context.settings, ftp_host)
    if wait_until_gone(context, share_id, generation):
        return answer_state({"status": "deleted", "id": share_id}, State.ELIMINADO)
    return answer_state({"status": State.ELIMINANDO.value, "id": share_id}, State.ELIMINANDO)


def wait_until_gone(context: ApiContext, share_id: str, generation: int) -> bool:
    """Wait a bounded time until this generation of a share has ended."""

    def is_gone(session: Session) -> bool:
        share = session.get_one(Share, share_id)
        # A later generation can only have begun after this one had ended.
        return share.generation > generation or share.state in TERMINAL

    return wait_for(context, is_gone)
