"""`GET /tmpftp/auditoria`: what is not as it should be between rows, FTP hosts, accounts, disks and sessions."""

from __future__ import annotations

from flask import Response
from pydantic import BaseModel, ConfigDict, Field

from tempoftp.http.access import Role, allow, get_author
from tempoftp.http.audit_answers import AuditAnswer, answer_audits, ask_and_wait
from tempoftp.http.context import get_context
from tempoftp.http.problems import document_refusals
from tempoftp.http.routes import SHARES_ROUTE, shares

AUDIT_ROUTE = f"{SHARES_ROUTE}/auditoria"


class AuditQuery(BaseModel):
    """Whether the last audit will do."""

    model_config = ConfigDict(extra="forbid")

    ahora: bool = Field(default=False, description="Make an audit now, and wait a bounded time for it.")


@shares.get(
    AUDIT_ROUTE,
    summary="Diferencias entre base de datos, MySQL, disco y sesiones",
    responses={200: AuditAnswer, 202: AuditAnswer, **document_refusals(403, 422, 503)},
)
@allow(Role.OPERADOR)
def get_audit(query: AuditQuery) -> Response:
    """Answer the last audit of each FTP host with its age; with `ahora` a new one, which only looks."""
    context = get_context()
    return ask_and_wait(context, get_author()) if query.ahora else answer_audits(context)
