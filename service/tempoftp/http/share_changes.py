"""Changes of a share that exists: its lifetime, its end, a block, a retry, a new password."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from flask import Response, jsonify
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy.orm import Session

from tempoftp.db.clock import write_time
from tempoftp.db.models import Account, Share
from tempoftp.http.access import Role, allow
from tempoftp.http.answers import answer_change
from tempoftp.http.body import OptionalBody, allow_empty
from tempoftp.http.changes import (
    describe_pending,
    perform_change,
    wait_until_gone,
    write_change,
    write_share_change,
)
from tempoftp.http.context import get_context
from tempoftp.http.problems import document_refusals
from tempoftp.http.routes import SHARE_ROUTE, SHARES_ROUTE, SharePath, shares
from tempoftp.http.shares import AcceptedAnswer, answer_accepted
from tempoftp.shares.changes import (
    request_block,
    request_deletion,
    request_lifetime,
    request_retry,
    request_unblock,
)
from tempoftp.shares.desired_state import Pending
from tempoftp.shares.expiry import sweep_expired
from tempoftp.shares.restore import request_restore
from tempoftp.shares.serializers import describe_block
from tempoftp.states import State

Scope = Literal["solicitud", "cuenta"]
BLOCK_CHANGES = (Pending.BLOCK, Pending.UNBLOCK, Pending.OTHER)


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
    settings, share_id = get_context().settings, path.read_id()
    return perform_change(
        lambda session, caller: request_lifetime(session, settings, share_id, body.vigencia, **caller),
        describe_lifetime,
        Pending.LIFETIME,
    )


def describe_lifetime(session: Session, share: Share, account: Account) -> dict[str, Any]:
    """Return the body of a `LifetimeAnswer`."""
    return {
        "id": share.id,
        "status": share.state,
        "vigencia": share.lifetime_days,
        "expira": write_time(share.expires),
        **describe_pending(session, share, account),
    }


class DeletionAnswer(BaseModel):
    """`deleted`: access and data are out of reach; `eliminando`: that is under way and goes on by itself.

    `expirado`: nothing was changed, because access and data had ended before.
    """

    status: str
    id: str


@shares.delete(
    SHARE_ROUTE,
    summary="Terminar un acceso temporal",
    responses={200: DeletionAnswer, 202: DeletionAnswer, **document_refusals(404, 503)},
)
@allow(Role.CLIENTE)
def delete_share(path: SharePath) -> Response:
    """Take access and data away: 200 once both are gone, 202 if that takes longer than the bounded wait.

    A share that has expired stays `expirado`: there is nothing to take away.
    """
    share_id = path.read_id()
    share = write_share_change(lambda session, caller: request_deletion(session, share_id, **caller))
    if share.state == State.EXPIRADO:
        return answer_change({"status": State.EXPIRADO.value, "id": share_id}, done=True)
    done = wait_until_gone(get_context(), [share])
    return answer_change({"status": name_end(done=done), "id": share_id}, done=done)


def name_end(*, done: bool) -> str:
    """Return the `status` of an answer to a deletion."""
    return "deleted" if done else State.ELIMINANDO.value


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
    settings = get_context().settings
    expired = write_change(
        lambda session, caller: sweep_expired(
            session, settings, author=caller["author"], request_id=caller["request_id"]
        ),
        lambda expired: (share.ftp_host for share in expired),
    )
    response: Response = jsonify({"status": "ok", "expiradas": len(expired)})
    return response


class BlockRequest(OptionalBody):
    """What to block, and why."""

    razon: Annotated[str, StringConstraints(max_length=500)] | None = Field(
        default=None, description="Why; it stands in the history and in the answers."
    )
    descargas: int | None = Field(
        default=None, ge=0, description="How many downloads were seen; it goes into the history with `razon`."
    )
    alcance: Scope = Field(default="solicitud", description="This share, or its account with every share.")


class UnblockRequest(OptionalBody):
    """What to unblock."""

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
    f"{SHARE_ROUTE}/bloquear",
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
    share_id, whole_account = path.read_id(), body.alcance == "cuenta"
    return perform_change(
        lambda session, caller: request_block(
            session, share_id, whole_account=whole_account, reason=_build_reason(body), **caller
        ),
        _describe_block,
        *BLOCK_CHANGES,
    )


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
    share_id, whole_account = path.read_id(), body.alcance == "cuenta"
    return perform_change(
        lambda session, caller: request_unblock(session, share_id, whole_account=whole_account, **caller),
        _describe_block,
        *BLOCK_CHANGES,
    )


def _build_reason(body: BlockRequest) -> str | None:
    """Return the reason, with the number of downloads when that was given."""
    count = None if body.descargas is None else f"{body.descargas} descargas"
    return "; ".join(part for part in (body.razon, count) if part) or None


def _describe_block(session: Session, share: Share, account: Account) -> dict[str, Any]:
    return {
        "status": share.state,
        "id": share.id,
        **describe_block(share, account),
        **describe_pending(session, share, account),
    }


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
    settings, share_id = get_context().settings, path.read_id()
    share = write_share_change(lambda session, caller: request_retry(session, settings, share_id, **caller))
    return answer_accepted(share)


class RestoreRequest(OptionalBody):
    """Nothing needs to be said."""


@shares.post(
    f"{SHARE_ROUTE}/restaurar",
    summary="Restaurar una solicitud que terminó",
    responses={202: AcceptedAnswer, **document_refusals(400, 404, 409, 413, 415, 422, 503)},
)
@allow(Role.CLIENTE)
@allow_empty
def restore_share(path: SharePath, body: RestoreRequest) -> Response:
    """Bring a deleted or expired share back while its FTP host keeps the data (`tempoftp_trash_hours`)."""
    settings, share_id = get_context().settings, path.read_id()
    share = write_share_change(lambda session, caller: request_restore(session, settings, share_id, **caller))
    return answer_accepted(share)
