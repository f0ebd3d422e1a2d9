"""`GET /health`: real checks: what the last runs saw on the FTP hosts, and whether anybody works on what is due."""

from __future__ import annotations

from typing import Any, Literal

from flask import Response, jsonify
from pydantic import BaseModel, Field

from tempoftp.http.access import PUBLIC, allow, find_principal
from tempoftp.http.context import get_context
from tempoftp.http.problems import Problem, build_problem, document_refusals
from tempoftp.http.routes import system
from tempoftp.monitoring.health import read_health

UNTOLD = "Algo no funciona; con una credencial de operador se dice qué y dónde."
Word = Literal["ok", "error", "unknown"]


class Queue(BaseModel):
    """What waits for a worker."""

    pendientes: int
    edad_segundos: float


class NoticeQueue(BaseModel):
    """Mails and webhooks."""

    pendientes: int
    edad_segundos: float = Field(description="How long the oldest waits.")
    abandonados: int = Field(description="Given up in the last 24 h, after TEMPOFTP_NOTICE_RETRY_HOURS.")
    rechazados: int = Field(description="Mails whose recipient does not exist, in the last 24 h.")


class HostHealth(BaseModel):
    """One FTP host as the last run saw it."""

    space_total: int | None
    space_free: int | None
    inodes_free: int | None
    ftpd: Word
    database: Word
    visto: str | None = Field(description="When: ISO 8601, UTC.")
    problemas: list[str]
    pausado: bool = Field(description="No new run starts on it.")
    razon: str | None = Field(description="Why it is paused.")
    autor: str | None = Field(description="Who paused it.")
    desde: str | None = Field(description="Since when: ISO 8601, UTC.")
    corridas: int = Field(description="Runs that are under way.")


class HealthAnswer(BaseModel):
    """The system's state; 503 with the same keys and `title`, `detail` when something is wrong."""

    status: Literal["ok", "degraded"]
    space_free_gb: float | None
    space_total_gb: float | None
    space_used_pct: float | None
    ftpd: Word
    database: Word = Field(description="MariaDB/MySQL of pure-ftpd.")
    cola: Queue
    avisos: NoticeQueue
    hosts: dict[str, HostHealth]
    problemas: list[str]
    simulacro: bool


@system.get("/health", summary="Estado del sistema", responses={200: HealthAnswer, **document_refusals(503)})
@allow(PUBLIC)
def get_health() -> Response:
    """Answer 200 when everything works, else 503. What does not, and where, is for those who act for everybody.

    It names hosts and other people's accounts.
    """
    context = get_context()
    with context.database.read() as session:
        health: dict[str, Any] = read_health(
            session, context.settings, unreadable=context.key_check.read(session)
        )
    principal = find_principal()
    if principal is None or principal.emails is not None:
        health |= {"hosts": {}, "problemas": [UNTOLD] if health["problemas"] else []}
    if health["status"] == "ok":
        response: Response = jsonify(health)
        return response
    return build_problem(
        Problem(503, "El sistema no está del todo bien", "; ".join(health["problemas"]), members=health)
    )
