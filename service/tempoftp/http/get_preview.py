"""`GET /tmpftp/vista_previa/{vista}`: a preview that took longer than its request waited."""

from __future__ import annotations

from flask import Response
from pydantic import BaseModel, Field

from tempoftp.http.access import Role, allow
from tempoftp.http.context import get_context
from tempoftp.http.preview_answers import (
    PREVIEW_ROUTE,
    PreviewAnswer,
    answer_preview,
    read_answer,
)
from tempoftp.http.problems import document_refusals
from tempoftp.http.routes import shares


class PreviewPath(BaseModel):
    """A preview, by the id that its `POST` answered."""

    vista: str = Field(description="The preview's `id`.")


@shares.get(
    f"{PREVIEW_ROUTE}/<vista>",
    summary="Una vista previa",
    responses={200: PreviewAnswer, 202: PreviewAnswer, **document_refusals(404, 503)},
)
@allow(Role.CLIENTE)
def get_preview(path: PreviewPath) -> Response:
    """Answer a preview of the caller: 202 while it is under way. One of somebody else, or past its day, is 404."""
    return answer_preview(read_answer(get_context(), path.vista))
