"""A recipient's link: how it is made and revoked, and what its holder may read and do."""

from __future__ import annotations

from typing import Any, Literal, cast

from flask import Response, jsonify, redirect, request, url_for
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from tempoftp.access.links import find_linked_share, issue_link, revoke_links
from tempoftp.access.recipients import describe_for_recipient, request_new_password
from tempoftp.access.recipients import reveal_credentials as reveal
from tempoftp.db.models import Account, Share
from tempoftp.http.access import PUBLIC, Role, allow
from tempoftp.http.answers import ShareAnswer, answer_state
from tempoftp.http.body import OptionalBody, allow_empty
from tempoftp.http.changes import (
    Caller,
    Write,
    describe_pending,
    perform_change,
    write_change,
)
from tempoftp.http.context import get_context
from tempoftp.http.credentials import CredentialsAnswer
from tempoftp.http.extensions import Extension
from tempoftp.http.problems import document_refusals
from tempoftp.http.routes import LINK_ROUTE, SHARE_ROUTE, LinkPath, SharePath, links, shares
from tempoftp.shares.credentials import list_opened
from tempoftp.shares.desired_state import Pending
from tempoftp.states import State

LINK_OF_SHARE = f"{SHARE_ROUTE}/enlace"


class LinkRequest(OptionalBody):
    """Nothing needs to be said."""


class NewLinkAnswer(BaseModel):
    """The link: it lets its holder log in to the share."""

    id: str
    enlace: str = Field(description="Its address; without TEMPOFTP_PUBLIC_URL only the path.")


class RevokedAnswer(BaseModel):
    """No link that was made before opens anything."""

    id: str
    status: Literal["ok"]


@shares.post(
    LINK_OF_SHARE,
    summary="Enlace para el destinatario",
    responses={200: NewLinkAnswer, **document_refusals(400, 403, 404, 409, 413, 415, 422, 503)},
)
@allow(Role.OPERADOR)
@allow_empty
def make_share_link(path: SharePath, body: LinkRequest) -> Response:
    """Make another link; earlier ones go on. 409 for a share that is over."""
    share_id = path.read_id()
    response: Response = jsonify({"id": share_id, "enlace": create_link(share_id)})
    return response


def create_link(share_id: str, base: str = "") -> str:
    """Return a new link of a share; without TEMPOFTP_PUBLIC_URL it begins with `base`. Raises as `issue_link` does."""
    settings = get_context().settings
    return write_change(
        lambda session, caller: issue_link(
            session, settings, share_id, author=caller["author"], request_id=caller["request_id"], base=base
        )
    )


@shares.delete(
    LINK_OF_SHARE,
    summary="Retirar los enlaces de una solicitud",
    responses={200: RevokedAnswer, **document_refusals(404, 503)},
)
@allow(Role.CLIENTE)
def revoke_share_links(path: SharePath) -> Response:
    """End every link of the share that was made so far, those in mails too."""
    share_id = path.read_id()
    revoke_all_links(share_id)
    response: Response = jsonify({"id": share_id, "status": "ok"})
    return response


def revoke_all_links(share_id: str) -> Share:
    """Revoke every link of a share of the caller. Raises ShareNotFound."""
    return write_change(lambda session, caller: revoke_links(session, share_id, **caller))


class LinkAnswer(ShareAnswer):
    """The share without its credentials, and what became of the last request for more days."""

    vigencia_maxima: int = Field(description="Most days that a share may have.")
    prorroga: Extension | None


@links.get(
    LINK_ROUTE,
    summary="Estado de una solicitud para quien tiene su enlace",
    responses={
        200: LinkAnswer,
        202: LinkAnswer,
        303: {"description": "To the page of the link, for who prefers HTML."},
        **document_refusals(404, 503),
    },
)
@allow(PUBLIC)
def get_link(path: LinkPath) -> Response:
    """Answer 202 while the share is on its way, 200 once it has settled; never a password.

    404 for a link that is none, has ended with its share or its time, or was revoked: all alike. 303 to its page when
    `Accept` prefers HTML.
    """
    if request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html":
        return _lead_to_page(path.token)
    context = get_context()
    with context.database.read() as session:
        share = find_linked_share(session, context.settings, path.token)
        body = describe_for_recipient(session, context.settings, share)
        response = answer_state(body, State(share.state), eta=share.eta)
        response.headers["Vary"] = "Accept"
        return response


def _lead_to_page(token: str) -> Response:
    response = redirect(url_for("portal.link_page", token=token), 303)
    response.headers["Vary"] = "Accept"
    return cast(Response, response)


class RevealRequest(OptionalBody):
    """Nothing needs to be said."""


@links.post(
    f"{LINK_ROUTE}/credenciales",
    summary="Datos de acceso para quien tiene el enlace",
    responses={200: CredentialsAnswer, **document_refusals(400, 404, 409, 413, 415, 422, 503)},
)
@allow(PUBLIC)
@allow_empty
def reveal_credentials(path: LinkPath, body: RevealRequest) -> Response:
    """Show how to log in to a share that is `listo`, else 409. That it was shown goes into the history."""
    response: Response = jsonify(reveal_to_holder(path.token))
    return response


def reveal_to_holder(token: str) -> dict[str, Any]:
    """Return how to log in to the share of a link. Raises LinkNotFound, IllegalTransition."""
    settings = get_context().settings
    return write_change(
        lambda session, _caller: reveal(session, settings, find_linked_share(session, settings, token))
    )


class RenewRequest(OptionalBody):
    """Whether the consequences are known."""

    confirmar: bool = Field(
        default=False, description="`true` once the person has read what else the new password opens."
    )


class RenewAnswer(BaseModel):
    """That there is a new password; `POST /enlace/{token}/credenciales` shows it."""

    id: str
    status: State
    usuario: str = Field(description="The FTP account.")
    abre: list[str] = Field(description="Every share that it opens, or will once it is delivered.")
    pendiente: list[Pending]
    mensaje: str


@links.post(
    f"{LINK_ROUTE}/password",
    summary="Contraseña nueva para quien tiene el enlace",
    responses={
        200: RenewAnswer,
        202: RenewAnswer,
        **document_refusals(400, 404, 409, 413, 415, 422, 503),
    },
)
@allow(PUBLIC)
@allow_empty
def renew_by_link(path: LinkPath, body: RenewRequest) -> Response:
    """Make a new password for the share's account: 200 once it works, 202 if it waits.

    Without `confirmar` 409, whose `abre` names the other shares that it opens. So is an account that was there before.
    """
    return perform_change(
        build_renewal(path.token, confirmed=body.confirmar), _describe_renewal, Pending.PASSWORD
    )


def build_renewal(token: str, *, confirmed: bool) -> Write[Share]:
    """Return the change that gives the account of a link's share a new password."""
    settings = get_context().settings

    def renew(session: Session, caller: Caller) -> Share:
        share = find_linked_share(session, settings, token)
        request_new_password(session, settings, share, confirmed=confirmed, request_id=caller["request_id"])
        return share

    return renew


def _describe_renewal(session: Session, share: Share, account: Account) -> dict[str, Any]:
    return {
        "id": share.id,
        "status": share.state,
        "usuario": account.name,
        "abre": list_opened(session, account),
        **describe_pending(session, share, account),
    }
