"""`POST /tmpftp/vista_previa` and `GET …/{vista}`: how large a source is and whether it fits, before a request."""

from __future__ import annotations

from typing import Any, Literal

from flask import Response, jsonify, url_for
from pydantic import BaseModel, ConfigDict, Field

from tempoftp.http.access import Role, allow, get_principal
from tempoftp.http.answers import RETRY_AFTER_LEAST, Skipped, Warned
from tempoftp.http.changes import wait_for, write_change
from tempoftp.http.context import ApiContext, get_context
from tempoftp.http.problems import document_refusals
from tempoftp.http.routes import SHARES_ROUTE, shares
from tempoftp.phrases import Translate, keep
from tempoftp.previews.previews import ask_preview, is_settled, note_shown, read_preview
from tempoftp.previews.serializers import describe_preview
from tempoftp.shares.schemas import Ruta

PREVIEW_ROUTE = f"{SHARES_ROUTE}/vista_previa"


class Room(BaseModel):
    """The FTP host's disk, in bytes."""

    total: int
    libre: int
    disponible: int = Field(description="`libre` less the reserve and what running copies will still take.")
    archivos_disponibles: int | None = Field(
        description="Files and folders that may still be made; null where there is no limit."
    )


class PreviewAnswer(BaseModel):
    """How much a source has, and whether it fits. Nothing is reserved by it."""

    id: str
    ruta: str
    estado: Literal["pendiente", "lista", "error"]
    mensaje: str = Field(description="The same in words; for a failure what, where and what to do.")
    error: str | None = Field(description="Class of the failure when `estado` is `error`.")
    completa: bool | None = Field(description="False: time was up, and there is more than was counted.")
    bytes: int | None = Field(description="Size; null when it is not known.")
    archivos: int | None = Field(description="Files.")
    omitidos: Skipped
    cabe: bool | None = Field(description="Whether it fits now; null when that is not known.")
    falta: Literal["no_space", "no_inodes", "too_large"] | None = Field(
        description="What there is too little of when it does not fit."
    )
    espacio: Room | None
    pedida_at: str = Field(description="ISO 8601, UTC.")
    medida_at: str | None = Field(description="ISO 8601, UTC; up to a minute before it was asked for.")
    edad_segundos: float | None = Field(description="How long ago that was.")
    advertencias: list[Warned] | None = Field(
        default=None, description="Only where there is one: the source has not one file."
    )


def ask_and_wait(context: ApiContext, ruta: str, translate: Translate = keep) -> dict[str, Any]:
    """Ask for a preview as the present caller and wait at most `preview_wait_seconds`. Raises as `ask_preview` does."""
    settings, principal = context.settings, get_principal()
    preview = write_change(
        lambda session, caller: ask_preview(session, settings, ruta, principal, caller["request_id"]),
        lambda preview: () if preview.answered_at is not None else (preview.ftp_host,),
    )
    if preview.answered_at is None:
        wait_for(context, lambda session: is_settled(session, preview.id), settings.preview_wait_seconds)
    return read_answer(context, preview.id, translate)


def read_answer(context: ApiContext, preview_id: str, translate: Translate = keep) -> dict[str, Any]:
    """Return a preview of the present caller. Raises PreviewNotFound, also for another caller's preview."""
    with context.database.read() as session:
        preview = read_preview(session, preview_id, get_principal().name)
        answer = describe_preview(session, preview, translate)
    if preview.answered_at is not None and not preview.shown:
        with context.write() as session:
            note_shown(session, preview_id)
    return answer


def answer_preview(body: dict[str, Any]) -> Response:
    """Answer 200 for a finished preview, 202 with `Retry-After` for a pending one. `Location` works for a day."""
    response: Response = jsonify(body)
    response.headers["Location"] = url_for("shares.get_preview", vista=body["id"])
    if body["estado"] == "pendiente":
        response.status_code = 202
        response.headers["Retry-After"] = str(RETRY_AFTER_LEAST)
    return response


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

    Sources are those that may be requested. What another caller was told of the same source in the last minute is
    answered again; who has seen an answer and asks again has it measured again.
    """
    return answer_preview(ask_and_wait(get_context(), body.ruta))


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
