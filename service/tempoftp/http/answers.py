"""The answer about one share, which several endpoints give: its schema, its HTTP status, and `Retry-After`."""

from __future__ import annotations

from typing import Any, Literal

from flask import Response, jsonify
from pydantic import BaseModel, Field

from tempoftp.shares.desired_state import Pending
from tempoftp.shares.fields import DELIVERY, PROGRESS, build_schema
from tempoftp.states import ENDING, ON_ITS_WAY, State

RETRY_AFTER_SECONDS = 3
RETRY_AFTER_LEAST = 2
RETRY_AFTER_MOST = 30

UNDER_WAY = ON_ITS_WAY | ENDING


Progress = build_schema("Progress", "How far the copy is. What is not known yet is null.", PROGRESS)
Delivery = build_schema("Delivery", "How the data came to the FTP host.", DELIVERY)


class Skipped(BaseModel):
    """What of the source is left out: unsafe links, devices, sockets."""

    total: int
    lista: list[str]


class Server(BaseModel):
    """Where the FTP account logs in."""

    host: str | None
    puerto: int | None
    tls: bool | None
    huella: str | None = Field(description="SHA-256 fingerprint of the TLS certificate.")


class FileDownloads(BaseModel):
    """One file that was fetched."""

    nombre: str = Field(description="Path below `directorio`.")
    completas: int
    parciales: int
    ultima: str | None


class NeverFetched(BaseModel):
    """Files of which nothing was fetched."""

    total: int
    lista: list[str] = Field(description="At most 100.")


class Downloads(BaseModel):
    """What was fetched. Everything is null while it is not known, which is not zero."""

    total_descargas: int | None = Field(description="`completos` and `parciales` together.")
    ultima_descarga: str | None = Field(description="ISO 8601, UTC; null also when nothing was fetched.")
    completos: int | None = Field(description="Complete downloads of files; what was resumed is one.")
    parciales: int | None = Field(description="Transfers that are no part of a complete download.")
    archivos_total: int | None = Field(description="Files of the share.")
    archivos_completos: int | None = Field(description="Files that were fetched completely at least once.")
    archivos: list[FileDownloads] | None = Field(description="The files fetched last, at most 100.")
    sin_descargar: NeverFetched | None
    contado: str | None = Field(description="When the FTP host was last asked: ISO 8601, UTC.")


class Warned(BaseModel):
    """Something that is allowed and probably not meant."""

    codigo: Literal["source_empty"]
    mensaje: str


class ShareAnswer(BaseModel):
    """One share. The lower half is there only when it is `listo`."""

    id: str
    status: State
    mensaje: str = Field(description="The state in words; for a failure what, where and what to do.")
    error: str | None = Field(description="Class of the present failure, transient or not.")
    pendiente: list[Pending] = Field(description="Changes that the FTP host has not confirmed yet.")
    en_pausa: bool = Field(description="Something waits, and its FTP host is paused.")
    ruta: str
    email: str
    vigencia: int = Field(description="Days, counted from `listo`.")
    created_at: str = Field(description="ISO 8601, UTC.")
    restaurable_hasta: str | None = Field(
        description="Until when the share, which has ended, can be restored (`POST /tmpftp/{id}/restaurar`): ISO 8601, "
        "UTC. Null while it lives and when its FTP host does not keep its data."
    )
    progreso: Progress  # type: ignore[valid-type]
    omitidos: Skipped
    advertencias: list[Warned] | None = Field(
        default=None, description="Only where there is one: the delivery has not one file."
    )
    razon: str | None = Field(default=None, description="Why it is, or is to be, blocked.")
    alcance: Literal["solicitud", "cuenta"] | None = Field(
        default=None, description="What is blocked: this share, or its account with every share."
    )
    en_mysql: bool | None = Field(default=None, description="Whether the login is blocked in MySQL.")
    usuario: str | None = Field(default=None, description="The FTP account.")
    ftpuser: str | None = Field(default=None, description="The same as `usuario`.")
    password: str | None = Field(
        default=None, description="A Fernet token or the stored hash: see `password_tipo`."
    )
    password_tipo: str | None = Field(
        default=None,
        description="`fernet`: for the caller's own key, or for the shared one. `hash`. Null: this caller gets it only "
        "by `POST /tmpftp/{id}/credenciales`.",
    )
    expira: str | None = Field(default=None, description="When access and data end: ISO 8601, UTC.")
    servidor: Server | None = None
    homedir: str | None = None
    directorio: str | None = None
    entrega: Delivery | None = None  # type: ignore[valid-type]
    descargas: Downloads | None = None


def choose_retry_after(eta: float | None) -> int:
    """Return the seconds for `Retry-After`: a tenth of the time that is left, at least 2 s and at most 30 s."""
    if eta is None:
        return RETRY_AFTER_SECONDS
    return round(min(max(eta / 10, RETRY_AFTER_LEAST), RETRY_AFTER_MOST))


def answer_change(body: dict[str, Any], *, done: bool) -> Response:
    """Answer 200 when the change is done, 202 with `Retry-After` while it waits for its FTP host."""
    response: Response = jsonify(body)
    if not done:
        response.status_code = 202
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def answer_state(body: dict[str, Any], state: State, *, eta: float | None = None) -> Response:
    """Answer 202 with `Retry-After` while a worker still has work for the share, else 200."""
    response: Response = jsonify(body)
    if state in UNDER_WAY:
        response.status_code = 202
        response.headers["Retry-After"] = str(choose_retry_after(eta))
    return response
