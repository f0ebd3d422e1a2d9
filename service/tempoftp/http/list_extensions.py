"""`GET /tmpftp/prorrogas`: who asks for more days."""

from __future__ import annotations

from flask import Response, jsonify
from pydantic import BaseModel, ConfigDict, Field

from tempoftp.http.access import Role, allow
from tempoftp.http.context import get_context
from tempoftp.http.get_link import Extension
from tempoftp.http.problems import document_refusals
from tempoftp.http.routes import SHARES_ROUTE, shares
from tempoftp.shares.extensions import Decision
from tempoftp.shares.extensions import list_extensions as list_requests
from tempoftp.states import State


class ExtensionsQuery(BaseModel):
    """Which requests."""

    model_config = ConfigDict(extra="forbid")

    estado: Decision = Field(
        default=Decision.PENDING, description="Those that wait, unless it says otherwise."
    )


class ListedExtension(Extension):
    """One request with its share."""

    id: str
    email: str
    status: State
    vigencia: int
    expira: str | None


class ExtensionsAnswer(BaseModel):
    """The requests about shares that live, at most 1000; those asked for first come first."""

    prorrogas: list[ListedExtension]


@shares.get(
    f"{SHARES_ROUTE}/prorrogas",
    summary="Prórrogas pedidas",
    responses={200: ExtensionsAnswer, **document_refusals(403, 422, 503)},
)
@allow(Role.OPERADOR)
def list_extensions(query: ExtensionsQuery) -> Response:
    """Answer the requests for more days that wait for an operator, or those that were decided so."""
    with get_context().database.read() as session:
        response: Response = jsonify({"prorrogas": list_requests(session, query.estado)})
    return response
