"""`POST /tmpftp/auditoria`: audit all FTP hosts now, and repair what is safe."""

from __future__ import annotations

from flask import Response
from pydantic import Field

from tempoftp.http.access import Role, allow, get_author
from tempoftp.http.audit_answers import AuditAnswer, ask_and_wait
from tempoftp.http.body import OptionalBody
from tempoftp.http.context import get_context
from tempoftp.http.get_audit import AUDIT_ROUTE
from tempoftp.http.problems import document_refusals
from tempoftp.http.routes import shares


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
    return ask_and_wait(get_context(), get_author(), repair=body.reparar, restore=body.tras_restaurar)
