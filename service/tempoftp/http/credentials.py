"""How to log in to a share, for its own client: the clear password, and a new one."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from flask import Response, jsonify
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from tempoftp.access.sealing import choose_seal
from tempoftp.db.models import Account, Share
from tempoftp.http.access import Role, allow, get_principal
from tempoftp.http.answers import Delivery, Server
from tempoftp.http.body import OptionalBody, allow_empty
from tempoftp.http.changes import answer_when_done, describe_pending, write_change
from tempoftp.http.context import get_context
from tempoftp.http.problems import document_refusals
from tempoftp.http.routes import SHARE_ROUTE, SharePath, shares
from tempoftp.shares.credentials import PasswordShown, list_opened, request_rotation, tell_credentials
from tempoftp.shares.desired_state import Pending
from tempoftp.states import State


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
    entrega: Delivery  # type: ignore[valid-type]


class CredentialsRequest(OptionalBody):
    """Nothing needs to be said."""


@shares.post(
    f"{SHARE_ROUTE}/credenciales",
    summary="Datos de acceso de una solicitud, con la contraseña en claro",
    responses={200: CredentialsAnswer, **document_refusals(400, 404, 409, 413, 415, 422, 503)},
)
@allow(Role.CLIENTE)
@allow_empty
def show_credentials(path: SharePath, body: CredentialsRequest) -> Response:
    """Show how to log in to a share that is `listo`, else 409; no key is needed. Who asked goes into the history."""
    settings, share_id = get_context().settings, path.read_id()
    response: Response = jsonify(
        write_change(lambda session, caller: tell_credentials(session, settings, share_id, **caller))
    )
    response.headers["Cache-Control"] = "no-store"
    return response


class PasswordRequest(OptionalBody):
    """Nothing needs to be said."""


class PasswordAnswer(BaseModel):
    """The new password. While `password` is pending, the FTP host still takes the old one."""

    id: str
    status: State
    usuario: str = Field(description="The FTP account.")
    password: str | None = Field(
        description="A Fernet token, for the caller's own key or for the shared one; null for a caller without either."
    )
    password_tipo: Literal["fernet"] | None
    abre: list[str] = Field(description="Every share that it opens, or will once it is delivered.")
    pendiente: list[Pending]
    mensaje: str


@shares.post(
    f"{SHARE_ROUTE}/password",
    summary="Contraseña nueva para la cuenta de una solicitud",
    responses={
        200: PasswordAnswer,
        202: PasswordAnswer,
        **document_refusals(400, 404, 409, 413, 415, 422, 503),
    },
)
@allow(Role.CLIENTE)
@allow_empty
def rotate_password(path: SharePath, body: PasswordRequest) -> Response:
    """Make a new password, and end what is open with the old one: 200 once it works, 202 if it waits.

    It is the account's: it opens all of its shares, as `abre` says. An account that was there before tempoftp is 409.
    """
    settings, share_id = get_context().settings, path.read_id()
    share, account = write_change(
        lambda session, caller: request_rotation(session, settings, share_id, **caller),
        lambda rotated: (rotated[0].ftp_host,),
    )
    # The password of this request, even if another request makes a newer one during the wait.
    seal = choose_seal(settings, get_principal())
    describe = partial(_describe_password, password=seal(account.token or ""))
    return answer_when_done(share, describe, Pending.PASSWORD)


def _describe_password(
    session: Session, share: Share, account: Account, *, password: str | None
) -> dict[str, Any]:
    return {
        "id": share.id,
        "status": share.state,
        "usuario": account.name,
        "password": password,
        "password_tipo": None if password is None else "fernet",
        "abre": list_opened(session, account),
        **describe_pending(session, share, account),
    }
