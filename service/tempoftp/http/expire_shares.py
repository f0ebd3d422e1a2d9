"""`DELETE /tmpftp/expired`: sweep now what has lived its days, without waiting for the periodic look."""

from __future__ import annotations

from typing import Literal

from flask import Response, jsonify
from pydantic import BaseModel, Field

from tempoftp.http.access import Role, allow, get_author
from tempoftp.http.context import get_context
from tempoftp.http.problems import document_refusals
from tempoftp.http.request_id import get_request_id
from tempoftp.http.routes import SHARES_ROUTE, shares
from tempoftp.http.wake import wake_host
from tempoftp.shares.expiry import sweep_expired


class ExpiryAnswer(BaseModel):
    """How many shares begin to end now; a worker takes access and data away."""

    status: Literal["ok"]
    expiradas: int = Field(description="Shares whose end had come and that nobody had begun to take away.")


@shares.delete(
    f"{SHARES_ROUTE}/expired",
    summary="Retirar ahora lo vencido",
    responses={200: ExpiryAnswer, **document_refusals(403, 503)},
)
@allow(Role.OPERADOR)
def expire_shares() -> Response:
    """Have every expired share taken away. The service does so by itself about every second."""
    context = get_context()
    with context.write() as session:
        expired = sweep_expired(session, author=get_author(), request_id=get_request_id())
        hosts = {share.ftp_host for share in expired}
    for ftp_host in hosts:
        wake_host(context.settings, ftp_host)
    response: Response = jsonify({"status": "ok", "expiradas": len(expired)})
    return response
