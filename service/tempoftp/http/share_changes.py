"""What changes a share that exists: its lifetime, its end, a block, another try, another password."""

from __future__ import annotations

from typing import Annotated, Literal

from flask import Response, jsonify, url_for
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy.orm import Session

from tempoftp.db.clock import write_time
from tempoftp.db.models import Account, Share
from tempoftp.http.access import Role, allow, get_author, get_principal
from tempoftp.http.answers import answer_change, answer_state
from tempoftp.http.body import OptionalBody, allow_empty
from tempoftp.http.changes import wait_for, wait_for_change, wake_host
from tempoftp.http.context import ApiContext, get_context
from tempoftp.http.problems import document_refusals
from tempoftp.http.request_id import get_request_id
from tempoftp.http.routes import SHARE_ROUTE, SHARES_ROUTE, SharePath, shares
from tempoftp.http.shares import AcceptedAnswer
from tempoftp.shares.blocking import request_block, request_unblock
from tempoftp.shares.deletion import request_deletion
from tempoftp.shares.desired_state import Pending, list_pending
from tempoftp.shares.expiry import sweep_expired
from tempoftp.shares.lifetime import request_lifetime
from tempoftp.shares.retry import request_retry
from tempoftp.shares.rotation import list_opened, request_rotation
from tempoftp.shares.serializers import describe_block, explain_share
from tempoftp.states import TERMINAL, State

Scope = Literal["solicitud", "cuenta"]
BLOCK_ROUTE = f"{SHARE_ROUTE}/bloquear"


class BlockRequest(OptionalBody):
    """What to block, and why."""

    razon: Annotated[str, StringConstraints(max_length=500)] | None = Field(
        default=None, description="Why; it stands in the history and in the answers."
    )
    descargas: int | None = Field(
        default=None, ge=0, description="How many downloads were seen; it goes into the history with `razon`."
    )
    alcance: Scope = Field(default="solicitud", description="This share, or its account with every share.")


class BlockAnswer(BaseModel):
    """The share as it is now; `pendiente` is empty once the FTP host has confirmed."""

    status: State
    id: str
    usuario: str = Field(description="The FTP account.")
    razon: str | None
    alcance: Scope
    en_mysql: bool = Field(description="Whether the login is blocked in MySQL.")
    pendiente: list[Pending]
    mensaje: str


@shares.post(
    BLOCK_ROUTE,
    summary="Bloquear una solicitud o su cuenta",
    responses={
        200: BlockAnswer,
        202: BlockAnswer,
        **document_refusals(400, 403, 404, 409, 413, 415, 422, 503),
    },
)
@allow(Role.OPERADOR)
@allow_empty
def block_share(path: SharePath, body: BlockRequest) -> Response:
    """Take a share out of its account's sight and end the account's sessions: 200 once that is so, 202 if it waits.

    The last visible share of an account takes the login along. A share on its way will be delivered hidden.
    """
    context = get_context()
    share_id = path.read_id()
    with context.write() as session:
        share = request_block(
            session,
            share_id,
            whole_account=body.alcance == "cuenta",
            reason=build_reason(body),
            emails=get_principal().emails,
            author=get_author(),
            request_id=get_request_id(),
        )
        ftp_host = share.ftp_host
    wake_host(context.settings, ftp_host)
    return answer_block(context, share_id)


def build_reason(body: BlockRequest) -> str | None:
    """Return the reason, with the number of downloads when that was given."""
    count = None if body.descargas is None else f"{body.descargas} descargas"
    return "; ".join(part for part in (body.razon, count) if part) or None


def answer_block(context: ApiContext, share_id: str) -> Response:
    """Wait a bounded time for a block, or its end, to be carried out, and answer how the share is then."""
    done = wait_for_change(context, share_id, Pending.BLOCK, Pending.UNBLOCK, Pending.OTHER)
    with context.database.read() as session:
        share = session.get_one(Share, share_id)
        account = session.get_one(Account, share.ftpuser)
        pending = list_pending(share, account)
        body = {
            "status": share.state,
            "id": share.id,
            **describe_block(share, account),
            "pendiente": [word.value for word in pending],
            "mensaje": explain_share(session, share),
        }
    return answer_change(body, done=done)


class UnblockRequest(OptionalBody):
    """What to unblock."""

    alcance: Scope = Field(default="solicitud", description="This share, or its account with every share.")


@shares.post(
    f"{SHARE_ROUTE}/desbloquear",
    summary="Desbloquear una solicitud o su cuenta",
    responses={
        200: BlockAnswer,
        202: BlockAnswer,
        **document_refusals(400, 403, 404, 409, 413, 415, 422, 503),
    },
)
@allow(Role.OPERADOR)
@allow_empty
def unblock_share(path: SharePath, body: UnblockRequest) -> Response:
    """Put a share back into its account's home: 200 once it is there, 202 if it waits. Its end stays what it was.

    With `alcance: cuenta` a share that was blocked for itself stays blocked.
    """
    context = get_context()
    share_id = path.read_id()
    with context.write() as session:
        share = request_unblock(
            session,
            share_id,
            whole_account=body.alcance == "cuenta",
            emails=get_principal().emails,
            author=get_author(),
            request_id=get_request_id(),
        )
        ftp_host = share.ftp_host
    wake_host(context.settings, ftp_host)
    return answer_block(context, share_id)


class LifetimeRequest(BaseModel):
    """How long the share is to live."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    vigencia: int = Field(description="Days the share lives, counted from `listo`.", examples=[7])


class LifetimeAnswer(BaseModel):
    """`expira` is the end that the FTP host has confirmed; while `vigencia` is pending, the earlier one."""

    id: str
    status: State
    vigencia: int
    expira: str | None = Field(description="When access and data end: ISO 8601, UTC; null before `listo`.")
    pendiente: list[Pending]
    mensaje: str


@shares.patch(
    SHARE_ROUTE,
    summary="Cambiar la vigencia de una solicitud",
    responses={
        200: LifetimeAnswer,
        202: LifetimeAnswer,
        **document_refusals(400, 404, 409, 413, 415, 422, 503),
    },
)
@allow(Role.CLIENTE)
def patch_share(path: SharePath, body: LifetimeRequest) -> Response:
    """Have a share live so many days from `listo`: 200 once the FTP host has it so, 202 if it waits.

    A share on its way takes it over when it is delivered. What would have ended already is 409.
    """
    context = get_context()
    share_id = path.read_id()
    with context.write() as session:
        share = request_lifetime(
            session,
            context.settings,
            share_id,
            body.vigencia,
            emails=get_principal().emails,
            author=get_author(),
            request_id=get_request_id(),
        )
        ftp_host = share.ftp_host
    wake_host(context.settings, ftp_host)
    done = wait_for_change(context, share_id, Pending.LIFETIME)
    with context.database.read() as session:
        share = session.get_one(Share, share_id)
        pending = list_pending(share, session.get_one(Account, share.ftpuser))
        answer = {
            "id": share.id,
            "status": share.state,
            "vigencia": share.lifetime_days,
            "expira": write_time(share.expires),
            "pendiente": [word.value for word in pending],
            "mensaje": explain_share(session, share),
        }
    return answer_change(answer, done=done)


class DeletionAnswer(BaseModel):
    """`deleted`: access and data are out of reach; `eliminando`: that is under way and goes on by itself."""

    status: str
    id: str


@shares.delete(
    SHARE_ROUTE,
    summary="Terminar un acceso temporal",
    responses={200: DeletionAnswer, 202: DeletionAnswer, **document_refusals(404, 503)},
)
@allow(Role.CLIENTE)
def delete_share(path: SharePath) -> Response:
    """Take access and data away: 200 once both are gone, 202 if that takes longer than the bounded wait."""
    context = get_context()
    share_id = path.read_id()
    with context.write() as session:
        share = request_deletion(
            session,
            share_id,
            emails=get_principal().emails,
            author=get_author(),
            request_id=get_request_id(),
        )
        ftp_host, generation, state = share.ftp_host, share.generation, State(share.state)
    if state not in TERMINAL:
        wake_host(context.settings, ftp_host)
    if wait_until_gone(context, share_id, generation):
        return answer_state({"status": "deleted", "id": share_id}, State.ELIMINADO)
    return answer_state({"status": State.ELIMINANDO.value, "id": share_id}, State.ELIMINANDO)


def wait_until_gone(context: ApiContext, share_id: str, generation: int) -> bool:
    """Wait a bounded time until this generation of a share has ended."""

    def is_gone(session: Session) -> bool:
        share = session.get_one(Share, share_id)
        # A later generation can only have begun after this one had ended.
        return share.generation > generation or share.state in TERMINAL

    return wait_for(context, is_gone)


class RetryRequest(OptionalBody):
    """Nothing needs to be said."""


@shares.post(
    f"{SHARE_ROUTE}/reintentar",
    summary="Reintentar una solicitud que falló",
    responses={
        200: AcceptedAnswer,
        202: AcceptedAnswer,
        **document_refusals(400, 404, 409, 413, 415, 422, 503),
    },
)
@allow(Role.CLIENTE)
@allow_empty
def retry_share(path: SharePath, body: RetryRequest) -> Response:
    """Begin a share in `error` again, from what was copied; one that waits for its next try is tried at once."""
    context = get_context()
    share_id = path.read_id()
    with context.write() as session:
        share = request_retry(
            session,
            context.settings,
            share_id,
            emails=get_principal().emails,
            author=get_author(),
            request_id=get_request_id(),
        )
        state, ftp_host = State(share.state), share.ftp_host
    wake_host(context.settings, ftp_host)
    response = answer_state({"id": share_id, "status": state.value}, state)
    response.headers["Location"] = url_for("shares.get_share", id=share_id)
    return response


class PasswordRequest(OptionalBody):
    """Nothing needs to be said."""


class PasswordAnswer(BaseModel):
    """The new password. While `password` is pending, the FTP host still takes the old one."""

    id: str
    status: State
    usuario: str = Field(description="The FTP account.")
    password: str = Field(description="A Fernet token.")
    password_tipo: Literal["fernet"]
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
    context = get_context()
    share_id = path.read_id()
    with context.write() as session:
        share, account = request_rotation(
            session,
            context.settings,
            share_id,
            emails=get_principal().emails,
            author=get_author(),
            request_id=get_request_id(),
        )
        ftp_host, token = share.ftp_host, account.token
    wake_host(context.settings, ftp_host)
    done = wait_for_change(context, share_id, Pending.PASSWORD)
    with context.database.read() as session:
        share = session.get_one(Share, share_id)
        account = session.get_one(Account, share.ftpuser)
        answer = {
            "id": share.id,
            "status": share.state,
            "usuario": account.name,
            "password": token,
            "password_tipo": "fernet",
            "abre": list_opened(session, account),
            "pendiente": [word.value for word in list_pending(share, account)],
            "mensaje": explain_share(session, share),
        }
    return answer_change(answer, done=done)


class ExpiryAnswer(BaseModel):
    """How many shares begin to end now; a worker takes access and data away."""

    status: Literal["ok"]
    expiradas: int = Field(description="Shares whose end had come and that nobody had begun to take away.")


@shares.delete(
    f"{SHARES_ROUTE}/expired",
    summary="Retirar ahora lo vencido",
    responses={200: ExpiryAnswer, **document_refusals(403, 503)},
)
@allow(Role.OPERADOR)
def expire_shares() -> Response:
    """Have every expired share taken away. The service does so by itself about every second."""
    context = get_context()
    with context.write() as session:
        expired = sweep_expired(session, author=get_author(), request_id=get_request_id())
        hosts = {share.ftp_host for share in expired}
    for ftp_host in hosts:
        wake_host(context.settings, ftp_host)
    response: Response = jsonify({"status": "ok", "expiradas": len(expired)})
    return response
