"""`GET` and `POST /tmpftp/auditoria`: the differences between rows, FTP hosts, accounts, disks and sessions."""

from __future__ import annotations

from typing import Any, Literal

from flask import Response, jsonify
from pydantic import BaseModel, ConfigDict, Field

from tempoftp.audits.audits import is_audit_pending, request_audits
from tempoftp.audits.serializers import describe_audits
from tempoftp.http.access import Role, allow
from tempoftp.http.answers import RETRY_AFTER_SECONDS
from tempoftp.http.body import OptionalBody
from tempoftp.http.changes import wait_for, write_change
from tempoftp.http.context import ApiContext, get_context
from tempoftp.http.problems import document_refusals
from tempoftp.http.routes import SHARES_ROUTE, shares


class AuditFinding(BaseModel):
    """Something that is not as it should be; `docs/dataflow.md` lists the kinds."""

    kind: str
    subject: str
    detail: str
    repair: Literal["safe", "manual"] = Field(description="`safe`: done by `reparar`; `manual`: only listed.")
    repaired: bool


class Hold(BaseModel):
    """Why nothing is done on an FTP host."""

    desde: str | None
    razon: str | None


class AuditedHost(BaseModel):
    """The last audit of one FTP host."""

    auditado_at: str | None = Field(description="When: ISO 8601, UTC; null when there was none.")
    edad_segundos: int | None
    pendiente: bool = Field(description="One that was asked for has not been made yet.")
    restaurado_at: str | None = Field(description="When rows were last corrected from this host.")
    retenido: Hold | None = Field(description="The database is older than this host; nothing is done there.")
    cuentas: dict[str, int] = Field(description="How many shares, ended shares and accounts it knows.")
    hallazgos: list[AuditFinding]
    fallos: list[str] = Field(description="What went wrong while repairing.")
    error: str | None = Field(description="Class of the failure when the last try did not reach the host.")
    mensaje: str | None


class AuditAnswer(BaseModel):
    """The last audits of all FTP hosts."""

    estado: Literal["pendiente", "retenido", "sin_auditar", "hallazgos", "limpio"]
    total: int = Field(description="How many findings are not repaired.")
    hosts: dict[str, AuditedHost]


def audit_and_wait(*, repair: bool = False, restore: bool = False) -> None:
    """Ask for an audit of every FTP host as the present caller, and wait for at most `audit_wait_seconds`."""
    context = get_context()
    settings = context.settings
    write_change(
        lambda session, caller: request_audits(
            session, settings, author=caller["author"], repair=repair, restore=restore
        ),
        lambda audits: (audit.ftp_host for audit in audits),
    )
    wait_for(context, lambda session: not is_audit_pending(session, settings), settings.audit_wait_seconds)


def answer_audits(context: ApiContext) -> Response:
    """Answer the last audits; 202 with `Retry-After` while a requested audit is pending."""
    with context.database.read() as session:
        body: dict[str, Any] = describe_audits(session, context.settings)
    response: Response = jsonify(body)
    if body["estado"] == "pendiente":
        response.status_code = 202
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


AUDIT_ROUTE = f"{SHARES_ROUTE}/auditoria"


class AuditQuery(BaseModel):
    """Nothing can be chosen; an audit is asked for with POST."""

    model_config = ConfigDict(extra="forbid")


@shares.get(
    AUDIT_ROUTE,
    summary="Diferencias entre base de datos, MySQL, disco y sesiones",
    responses={200: AuditAnswer, 202: AuditAnswer, **document_refusals(403, 422, 503)},
)
@allow(Role.OPERADOR)
def get_audit(query: AuditQuery) -> Response:
    """Answer the last audit of each FTP host with its age. It changes nothing; POST makes a new one."""
    return answer_audits(get_context())


class AuditOrder(OptionalBody):
    """What to do beside looking."""

    reparar: bool = Field(default=False, description="Repair what is safe; unknown data is only ever listed.")
    tras_restaurar: bool = Field(
        default=False,
        description="The database came from a backup: correct its rows from the FTP hosts, then act on them again.",
    )


@shares.post(
    AUDIT_ROUTE,
    summary="Auditar ahora y reparar lo que es seguro",
    responses={200: AuditAnswer, 202: AuditAnswer, **document_refusals(400, 403, 413, 415, 422, 503)},
)
@allow(Role.OPERADOR)
def post_audit(body: AuditOrder) -> Response:
    """Make an audit, and wait a bounded time for it: 200 with what it found and repaired, 202 when it takes longer."""
    audit_and_wait(repair=body.reparar, restore=body.tras_restaurar)
    return answer_audits(get_context())
