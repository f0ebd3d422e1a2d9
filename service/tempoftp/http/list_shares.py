"""`GET /tmpftp`: the shares, newest first, a page at a time; never a password."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Response, jsonify
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import StatementError

from tempoftp.http.access import Role, allow, get_principal
from tempoftp.http.context import get_context
from tempoftp.http.problems import document_refusals
from tempoftp.http.routes import SHARES_ROUTE, shares
from tempoftp.refusals import InvalidRequest
from tempoftp.shares.serializers import LIST_DEFAULT, LIST_MAX, list_shares
from tempoftp.states import State


class ListQuery(BaseModel):
    """Which shares, and which page of them."""

    model_config = ConfigDict(extra="forbid")

    estado: State | None = Field(
        default=None, description="Only in this state; `eliminado` shows only when asked for."
    )
    usuario: Annotated[str, Field(max_length=254)] | None = Field(
        default=None, description="Only of this e-mail or FTP user."
    )
    limite: int = Field(default=LIST_DEFAULT, ge=1, le=LIST_MAX, description="At most so many.")
    cursor: Annotated[str, Field(max_length=256)] | None = Field(
        default=None, description="The `siguiente` of the page before."
    )


class ListedShare(BaseModel):
    """One share in a list."""

    id: str
    email: str
    ftpuser: str
    ruta: str
    estado: State
    mensaje: str
    error: str | None
    created_at: str
    vigencia: int
    listo_at: str | None
    expira: str | None
    bytes: int | None
    porcentaje: float | None
    descargas: int | None = Field(
        description="Downloads, complete and partial; null while they are not known."
    )


class ListAnswer(BaseModel):
    """One page. `total` counts what fits the filters, not the page."""

    total: int
    sin_created_at: int
    solicitudes: list[ListedShare]
    siguiente: str | None = Field(description="`cursor` of the next page, or null on the last.")


@shares.get(
    SHARES_ROUTE,
    summary="Lista de solicitudes",
    responses={200: ListAnswer, **document_refusals(422, 503)},
)
@allow(Role.CLIENTE)
def get_shares(query: ListQuery) -> Response:
    """Answer one page of the caller's shares that fit the filters."""
    response: Response = jsonify(find_page(**query.model_dump()))
    return response


def find_page(**filters: Any) -> dict[str, Any]:
    """Return one page of the caller's shares, by the filters of `list_shares`. Raises InvalidRequest."""
    try:
        with get_context().database.read() as session:
            return list_shares(session, **filters, emails=get_principal().emails)
    except (StatementError, UnicodeError, RecursionError) as error:
        # A cursor of nobody's making can decode to a time or a text that no database takes.
        if isinstance(error, StatementError) and not isinstance(error.orig, OverflowError):
            raise
        raise InvalidRequest(
            "cursor", "el cursor debe ser el `siguiente` de una respuesta anterior"
        ) from error
