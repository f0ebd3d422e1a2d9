"""More days for a share: the holder of a link asks for them, an operator grants or refuses them."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Response, jsonify
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy.orm import Session

from tempoftp.access.links import find_linked_share
from tempoftp.access.recipients import RECIPIENT
from tempoftp.db.models import Account, ExtensionRequest, Share
from tempoftp.http.access import PUBLIC, Role, allow
from tempoftp.http.body import OptionalBody, allow_empty
from tempoftp.http.changes import Write, perform_change, write_change
from tempoftp.http.context import get_context
from tempoftp.http.problems import document_refusals
from tempoftp.http.routes import LINK_ROUTE, SHARE_ROUTE, SHARES_ROUTE, LinkPath, SharePath, links, shares
from tempoftp.http.share_changes import LifetimeAnswer, describe_lifetime
from tempoftp.shares.desired_state import Pending
from tempoftp.shares.extensions import (
    Decision,
    describe_extension,
    find_last_extension,
    grant_extension,
    refuse_extension,
)
from tempoftp.shares.extensions import ask_extension as ask
from tempoftp.shares.extensions import list_extensions as list_requests
from tempoftp.states import State


class Extension(BaseModel):
    """A request for more days."""

    dias: int = Field(description="Days more than the share has; once granted, those that it got.")
    motivo: str | None
    estado: Decision
    pedida: str = Field(description="ISO 8601, UTC.")
    decidida: str | None
    respuesta: str | None = Field(description="What the operator says to it.")


class ExtensionBody(BaseModel):
    """How many days more, and why."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    dias: Annotated[int, Field(description="Days more than the share has.", examples=[7])]
    motivo: Annotated[str, StringConstraints(max_length=500)] | None = Field(
        default=None, description="Why; the operator reads it."
    )


class ExtensionAnswer(BaseModel):
    """The request; it waits for an operator."""

    id: str
    prorroga: Extension


@links.post(
    f"{LINK_ROUTE}/prorroga",
    summary="Pedir más días",
    responses={200: ExtensionAnswer, **document_refusals(400, 404, 409, 413, 415, 422, 503)},
)
@allow(PUBLIC)
def ask_extension(path: LinkPath, body: ExtensionBody) -> Response:
    """Write down that the recipient wants more days. Asking again while the request waits changes it."""
    request = ask_for_days(path.token, body.dias, body.motivo)
    response: Response = jsonify({"id": request.share_id, "prorroga": describe_extension(request)})
    return response


def ask_for_days(token: str, days: int, reason: str | None) -> ExtensionRequest:
    """Write down that the holder of a link wants more days. Raises LinkNotFound, and what `ask_extension` raises."""
    settings = get_context().settings
    return write_change(
        lambda session, caller: ask(
            session,
            settings,
            find_linked_share(session, settings, token),
            days,
            reason,
            author=RECIPIENT,
            request_id=caller["request_id"],
        )
    )


class GrantRequest(OptionalBody):
    """Other days than were asked for, if any."""

    dias: int | None = Field(default=None, description="Days more; left out: those that were asked for.")


class RefuseRequest(OptionalBody):
    """Why not."""

    respuesta: Annotated[str, StringConstraints(max_length=500)] | None = Field(
        default=None, description="The recipient reads it."
    )


class DecisionAnswer(LifetimeAnswer):
    """The share's life as it is now, and the request."""

    prorroga: Extension


_REFUSALS = document_refusals(400, 403, 404, 409, 413, 415, 422, 503)


@shares.post(
    f"{SHARE_ROUTE}/prorroga/aceptar",
    summary="Dar los días que se pidieron",
    responses={200: DecisionAnswer, 202: DecisionAnswer, **_REFUSALS},
)
@allow(Role.OPERADOR)
@allow_empty
def grant(path: SharePath, body: GrantRequest) -> Response:
    """Extend the share: 200 once the FTP host has it so, 202 if it waits. 409 when nobody has asked."""
    share_id = path.read_id()
    return perform_change(build_grant(share_id, body.dias), _describe_decision, Pending.LIFETIME)


def build_grant(share_id: str, days: int | None) -> Write[Share]:
    """Return the change that gives a share the days that were asked for, or `days`."""
    settings = get_context().settings
    return lambda session, caller: grant_extension(
        session, settings, share_id, days, author=caller["author"], request_id=caller["request_id"]
    )


@shares.post(
    f"{SHARE_ROUTE}/prorroga/rechazar",
    summary="No dar los días que se pidieron",
    responses={200: DecisionAnswer, **_REFUSALS},
)
@allow(Role.OPERADOR)
@allow_empty
def refuse(path: SharePath, body: RefuseRequest) -> Response:
    """Leave the share its days, and tell the recipient so on the link's page."""
    share_id = path.read_id()
    refuse_days(share_id, body.respuesta)
    with get_context().database.read() as session:
        share = session.get_one(Share, share_id)
        answer = _describe_decision(session, share, session.get_one(Account, share.ftpuser))
    response: Response = jsonify(answer)
    return response


def refuse_days(share_id: str, answer: str | None) -> None:
    """Refuse the days that were asked for. Raises ShareNotFound, ExtensionNotFound."""
    write_change(
        lambda session, caller: refuse_extension(
            session, share_id, answer, author=caller["author"], request_id=caller["request_id"]
        )
    )


def _describe_decision(session: Session, share: Share, account: Account) -> dict[str, Any]:
    request = find_last_extension(session, share)
    return {
        **describe_lifetime(session, share, account),
        "prorroga": None if request is None else describe_extension(request),
    }


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
