"""`POST /tmpftp/vista_previa`: how much a source has and whether it fits, before anything is requested."""

from __future__ import annotations

from flask import Response
from pydantic import BaseModel, ConfigDict

from tempoftp.http.access import Role, allow
from tempoftp.http.context import get_context
from tempoftp.http.preview_answers import (
    PREVIEW_ROUTE,
    PreviewAnswer,
    answer_preview,
    ask_and_wait,
)
from tempoftp.http.problems import document_refusals
from tempoftp.http.routes import shares
from tempoftp.shares.schemas import Ruta


class PreviewOrder(BaseModel):
    """What to measure. Unknown keys and loose types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    ruta: Ruta


@shares.post(
    PREVIEW_ROUTE,
    summary="Ver tamaño y espacio antes de pedir",
    responses={
        200: PreviewAnswer,
        202: PreviewAnswer,
        **document_refusals(400, 403, 413, 415, 422, 503),
    },
)
@allow(Role.CLIENTE)
def post_preview(body: PreviewOrder) -> Response:
    """Have a source measured, and wait a bounded time for it: 200 with what was found, 202 when it takes longer.

    Sources are those that may be requested. What was found for the same source in the last minute is answered again.
    """
    return answer_preview(ask_and_wait(get_context(), body.ruta))
