"""`POST /enlace/{token}/credenciales`: how to log in, with the password in clear."""

from __future__ import annotations

from flask import Response, jsonify
from pydantic import BaseModel, Field

from tempoftp.access.links import find_linked_share
from tempoftp.access.recipients import reveal_credentials as reveal
from tempoftp.http.access import PUBLIC, allow
from tempoftp.http.answers import Delivery, Server
from tempoftp.http.body import OptionalBody, allow_empty
from tempoftp.http.context import get_context
from tempoftp.http.link_path import LinkPath
from tempoftp.http.problems import document_refusals
from tempoftp.http.routes import LINK_ROUTE, links
from tempoftp.shares.credentials import PasswordShown


class RevealRequest(OptionalBody):
    """Nothing needs to be said."""


class CredentialsAnswer(BaseModel):
    """How to log in. Without a password, `password_mensaje` says why and what to do."""

    id: str
    usuario: str = Field(description="The FTP account.")
    ftpuser: str = Field(description="The same.")
    password: str | None = Field(description="In clear; never a token, never a hash.")
    password_estado: PasswordShown = Field(
        description="`anterior`: an earlier one still works; `ajena`: the account was there before tempoftp; "
        "`ilegible`: the service lacks the key to it."
    )
    password_mensaje: str | None
    expira: str | None
    servidor: Server
    homedir: str | None
    directorio: str | None
    entrega: Delivery


@links.post(
    f"{LINK_ROUTE}/credenciales",
    summary="Datos de acceso para quien tiene el enlace",
    responses={200: CredentialsAnswer, **document_refusals(400, 404, 409, 413, 415, 422, 503)},
)
@allow(PUBLIC)
@allow_empty
def reveal_credentials(path: LinkPath, body: RevealRequest) -> Response:
    """Show how to log in to a share that is `listo`, else 409. That it was shown goes into the history."""
    context = get_context()
    with context.write() as session:
        share = find_linked_share(session, context.settings, path.token)
        response: Response = jsonify(reveal(session, context.settings, share))
    return response
