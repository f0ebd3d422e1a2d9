"""`DELETE /tmpftp/{id}`: ask for a share's end, and wait a bounded time for it."""

from __future__ import annotations

import time

from flask import Response
from pydantic import BaseModel

from tempoftp.api.access import Role, allow, get_author, get_principal
from tempoftp.api.answers import answer_state
from tempoftp.api.context import ApiContext, get_context
from tempoftp.api.problems import document_refusals
from tempoftp.api.request_id import get_request_id
from tempoftp.api.routes import SHARE_ROUTE, shares
from tempoftp.api.share_path import SharePath
from tempoftp.api.wake import wake_host
from tempoftp.shares.deletion import request_deletion
from tempoftp.shares.models import Share
from tempoftp.shares.states import TERMINAL, State

POLL_SECONDS = 0.1


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
    """Look at the row until this generation has ended, for at most `deletion_wait_seconds`.

    When too many requests wait already, look once: a flood of deletions must not keep others from an answer.
    """
    if not context.deletion_slots.acquire(blocking=False):
        return _look_until(context, share_id, generation, time.monotonic())
    try:
        deadline = time.monotonic() + context.settings.deletion_wait_seconds
        return _look_until(context, share_id, generation, deadline)
    finally:
        context.deletion_slots.release()


def _look_until(context: ApiContext, share_id: str, generation: int, deadline: float) -> bool:
    while True:
        with context.database.read() as session:
            share = session.get_one(Share, share_id)
            # A later generation can only have begun after this one had ended.
            if share.generation > generation or share.state in TERMINAL:
                return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
