"""`POST /tmpftp`, `GET /tmpftp/{id}`, `GET /tmpftp`: ask for a share, read one, list them."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Response, jsonify, url_for
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import StatementError

from tempoftp.access.sealing import choose_seal
from tempoftp.db.models import Share
from tempoftp.http.access import Role, allow, get_principal, require_email
from tempoftp.http.answers import ShareAnswer, Warned, answer_state
from tempoftp.http.changes import write_change
from tempoftp.http.context import get_context
from tempoftp.http.problems import document_refusals
from tempoftp.http.routes import SHARE_ROUTE, SHARES_ROUTE, SharePath, shares
from tempoftp.previews.previews import is_known_empty
from tempoftp.refusals import InvalidRequest, Refused
from tempoftp.shares.create import Accepted, create_share
from tempoftp.shares.messages import describe_emptiness
from tempoftp.shares.queries import LIST_DEFAULT, LIST_MAX, find_share, list_shares
from tempoftp.shares.schemas import ShareRequest
from tempoftp.shares.serializers import describe_share
from tempoftp.states import State


class AcceptedAnswer(BaseModel):
    """The request is written down; its progress is at `Location`."""

    id: str
    status: State = Field(
        description="`recibido`; for a body that was accepted before, the share's present state."
    )
    advertencias: list[Warned] | None = Field(
        default=None, description="Only where there is one: the caller's last preview found not one file."
    )


@shares.post(
    SHARES_ROUTE,
    summary="Pedir un acceso temporal",
    responses={
        202: AcceptedAnswer,
        200: AcceptedAnswer,
        **document_refusals(400, 403, 409, 413, 415, 422, 503),
    },
)
@allow(Role.CLIENTE)
def post_share(body: ShareRequest) -> Response:
    """Write the request down and answer at once; a worker does the rest.

    The same body again is answered with the share's present state, and nothing is done twice.
    """
    require_email(body.usuario)
    empty = is_source_empty(body.ruta)
    return answer_accepted(accept_share(body).share, empty=empty)


def is_source_empty(ruta: str) -> bool:
    """Whether the caller's last preview of a source found not one file. False for a source that is refused."""
    context, asker = get_context(), get_principal().name
    try:
        with context.database.read() as session:
            return is_known_empty(session, context.settings, ruta, asker)
    except Refused:
        return False


def accept_share(body: ShareRequest) -> Accepted:
    """Write a request down, unless the same one was accepted before. Raises what `create_share` raises."""
    settings = get_context().settings
    limited = get_principal().role is not Role.OPERADOR
    return write_change(
        lambda session, caller: create_share(
            session,
            settings,
            body,
            author=caller["author"],
            request_id=caller["request_id"],
            limited=limited,
        ),
        lambda accepted: (accepted.share.ftp_host,) if accepted.created else (),
    )


def answer_accepted(share: Share, *, empty: bool = False) -> Response:
    """Answer the state of a share that was just asked for; `Location` is its path."""
    body: dict[str, Any] = {"id": share.id, "status": share.state}
    if empty:
        body["advertencias"] = [describe_emptiness()]
    response = answer_state(body, State(share.state))
    response.headers["Location"] = url_for("shares.get_share", id=share.id)
    return response


@shares.get(
    SHARE_ROUTE,
    summary="Estado de una solicitud y, cuando está lista, cómo entrar",
    responses={200: ShareAnswer, 202: ShareAnswer, **document_refusals(404, 503)},
)
@allow(Role.CLIENTE)
def get_share(path: SharePath) -> Response:
    """Answer 202 while the share is on its way, 200 once it has settled, 404 when there is none."""
    context = get_context()
    share_id = path.read_id()
    with context.database.read() as session:
        share = find_share(session, share_id, get_principal().emails)
        seal = choose_seal(context.settings, get_principal())
        body = describe_share(session, context.settings, share, seal=seal)
        return answer_state(body, State(share.state), eta=share.eta)


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
    """Return one page of the caller's shares, with the filters of `list_shares`. Raises InvalidRequest."""
    try:
        with get_context().database.read() as session:
            return list_shares(session, **filters, emails=get_principal().emails)
    except (StatementError, UnicodeError, RecursionError) as error:
        # A forged cursor can decode to a time or a text that the database does not accept.
        if isinstance(error, StatementError) and not isinstance(error.orig, OverflowError):
            raise
        raise InvalidRequest("cursor", "cursor_invalid") from error
