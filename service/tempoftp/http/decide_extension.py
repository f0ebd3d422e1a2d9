"""`POST /tmpftp/{id}/prorroga/aceptar` and `…/rechazar`: an operator's answer to who asked for more days."""

from __future__ import annotations

from typing import Annotated

from flask import Response, jsonify
from pydantic import Field, StringConstraints

from tempoftp.db.clock import write_time
from tempoftp.db.models import Account, Share
from tempoftp.http.access import Role, allow, get_author
from tempoftp.http.answers import answer_change
from tempoftp.http.body import OptionalBody, allow_empty
from tempoftp.http.context import ApiContext, get_context
from tempoftp.http.get_link import Extension
from tempoftp.http.patch_share import LifetimeAnswer
from tempoftp.http.problems import document_refusals
from tempoftp.http.request_id import get_request_id
from tempoftp.http.routes import SHARE_ROUTE, shares
from tempoftp.http.share_path import SharePath
from tempoftp.http.waiting import wait_for_change
from tempoftp.http.wake import wake_host
from tempoftp.shares.desired_state import Pending, list_pending
from tempoftp.shares.extensions import (
    describe_extension,
    find_last_extension,
    grant_extension,
    refuse_extension,
)
from tempoftp.shares.serializers import explain_share


class GrantRequest(OptionalBody):
    """Other days than were asked for, if any."""

    dias: int | None = Field(default=None, description="Days more; left out: those that were asked for.")


class RefuseRequest(OptionalBody):
    """Why not."""

    respuesta: Annotated[str, StringConstraints(max_length=500)] | None = Field(
        default=None, description="The recipient reads it."
    )


class DecisionAnswer(LifetimeAnswer):
    """The share's life as it is now, and the request."""

    prorroga: Extension


_REFUSALS = document_refusals(400, 403, 404, 409, 413, 415, 422, 503)


@shares.post(
    f"{SHARE_ROUTE}/prorroga/aceptar",
    summary="Dar los días que se pidieron",
    responses={200: DecisionAnswer, 202: DecisionAnswer, **_REFUSALS},
)
@allow(Role.OPERADOR)
@allow_empty
def grant(path: SharePath, body: GrantRequest) -> Response:
    """Extend the share: 200 once the FTP host has it so, 202 if it waits. 409 when nobody has asked."""
    context = get_context()
    share_id = path.read_id()
    with context.write() as session:
        share = grant_extension(
            session, context.settings, share_id, body.dias, author=get_author(), request_id=get_request_id()
        )
        ftp_host = share.ftp_host
    wake_host(context.settings, ftp_host)
    done = wait_for_change(context, share_id, Pending.LIFETIME)
    return answer_change(_describe(context, share_id), done=done)


@shares.post(
    f"{SHARE_ROUTE}/prorroga/rechazar",
    summary="No dar los días que se pidieron",
    responses={200: DecisionAnswer, **_REFUSALS},
)
@allow(Role.OPERADOR)
@allow_empty
def refuse(path: SharePath, body: RefuseRequest) -> Response:
    """Leave the share its days, and tell the recipient so on the link's page."""
    context = get_context()
    share_id = path.read_id()
    with context.write() as session:
        refuse_extension(session, share_id, body.respuesta, author=get_author(), request_id=get_request_id())
    response: Response = jsonify(_describe(context, share_id))
    return response


def _describe(context: ApiContext, share_id: str) -> dict[str, object]:
    with context.database.read() as session:
        share = session.get_one(Share, share_id)
        request = find_last_extension(session, share)
        pending = list_pending(share, session.get_one(Account, share.ftpuser))
        return {
            "id": share.id,
            "status": share.state,
            "vigencia": share.lifetime_days,
            "expira": write_time(share.expires),
            "pendiente": [word.value for word in pending],
            "mensaje": explain_share(session, share),
            "prorroga": None if request is None else describe_extension(request),
        }
