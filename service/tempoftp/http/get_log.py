"""`GET /tmpftp/{id}/log`: what the runs did for a share, as the worker keeps it; nothing secret is in it."""

from __future__ import annotations

from flask import Response
from pydantic import BaseModel, ConfigDict, Field

from tempoftp.http.access import Role, allow, get_principal
from tempoftp.http.context import get_context
from tempoftp.http.problems import document_refusals
from tempoftp.http.routes import SHARE_ROUTE, shares
from tempoftp.http.share_path import SharePath
from tempoftp.shares.log import PIECE_BYTES, read_log
from tempoftp.shares.serializers import find_share

FOLLOWING = "X-Log-Siguiente"


class LogQuery(BaseModel):
    """Which part of the log."""

    model_config = ConfigDict(extra="forbid")

    desde: int | None = Field(
        default=None,
        ge=0,
        le=2**53,
        description=f"Byte to begin at, from `{FOLLOWING}` of the answer before; left out: the end of the log.",
    )


@shares.get(
    f"{SHARE_ROUTE}/log",
    summary="Bitácora de una solicitud",
    responses={
        200: {
            "description": f"At most {PIECE_BYTES} bytes of the log, in whole lines.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
            "headers": {
                FOLLOWING: {
                    "description": "Byte at which what comes after begins: `desde` of the next request.",
                    "schema": {"type": "integer"},
                }
            },
        },
        **document_refusals(403, 404, 422, 503),
    },
)
@allow(Role.OPERADOR)
def get_log(path: SharePath, query: LogQuery) -> Response:
    """Answer the log of a share, also of a deleted one: a line for each run that worked on it."""
    context = get_context()
    share_id = path.read_id()
    with context.database.read() as session:
        find_share(session, share_id, get_principal().emails, deleted=True)
    piece = read_log(context.settings.state_dir, share_id, query.desde)
    response = Response(piece.text, content_type="text/plain; charset=utf-8")
    response.headers[FOLLOWING] = str(piece.following)
    return response
