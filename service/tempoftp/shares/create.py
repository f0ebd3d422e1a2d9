"""Step 2 of the flow: a valid request becomes one row and one history row, in one transaction."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tempoftp.accounts.accounts import ensure_password, leave_gone_host, take_account
from tempoftp.db.clock import database_now
from tempoftp.db.models import FtpHost, Share, draw_nonce
from tempoftp.hosts.holds import find_ended_generation
from tempoftp.phrases import Phrase
from tempoftp.refusals import IdInUse
from tempoftp.settings import Settings
from tempoftp.shares.changes import check_lifetime
from tempoftp.shares.desired_state import DesiredState
from tempoftp.shares.fields import WIRES, Requested
from tempoftp.shares.lifecycle import record_birth, transition
from tempoftp.shares.quotas import check_quotas, lock_callers
from tempoftp.shares.schemas import ShareRequest
from tempoftp.shares.sources import ResolvedSource, parse_ruta, read_sources
from tempoftp.states import TERMINAL, State

RACE_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Accepted:
    """`created` is False when the same body was accepted before; then nothing was written."""

    share: Share
    created: bool


def create_share(
    session: Session,
    settings: Settings,
    request: ShareRequest,
    author: str,
    request_id: str,
    *,
    limited: bool = True,
) -> Accepted:
    """Write down what is wanted, inside the caller's `Database.write()` transaction.

    The same body again gives the same share in its present state, whatever has changed since: the share's lifetime, a
    default, a bound or the sources. Commit, then wake `share.ftp_host`.

    With `limited` False the quotas do not bind the caller, who is an operator.

    Raises InvalidRequest, InvalidSource, SourceNotAllowed, IdInUse, QuotaReached, HostGone.
    """
    _user, host, path = parse_ruta(request.ruta)
    written = _digest_body(request, host, path)
    earlier = session.get(Share, request.id)
    if earlier is not None and earlier.state not in TERMINAL and written in (earlier.body_digests or ()):
        return Accepted(earlier, created=False)
    source = read_sources(settings).resolve_source(request.ruta)
    requested = request.model_dump(include=set(Requested.model_fields))
    if request.lifetime_days is None:
        requested["lifetime_days"] = settings.lifetime_default
    check_lifetime(settings, requested["lifetime_days"])
    requested["body_digests"] = sorted({written, _digest_body(request, source.name, source.path)})
    if limited:
        lock_callers(session, request.usuario, author)
    for attempt in range(RACE_ATTEMPTS):
        try:
            with session.begin_nested():
                return _accept(session, settings, request, source, requested, author, request_id, limited)
        except IntegrityError:
            # Two equal requests at once may both find no row. The second try finds the row of the first request.
            if attempt == RACE_ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _accept(
    session: Session,
    settings: Settings,
    request: ShareRequest,
    source: ResolvedSource,
    requested: dict[str, Any],
    author: str,
    request_id: str,
    limited: bool,
) -> Accepted:
    choose_host = partial(choose_ftp_host, session, settings)
    account = take_account(session, request.usuario, choose_host)
    session.flush()
    share = session.get(Share, request.id, with_for_update=True, populate_existing=True)
    if share is not None and share.state not in TERMINAL:
        if _is_same(share, request, source, requested["body_digests"]):
            return Accepted(share, created=False)
        raise IdInUse("id_in_use", id=request.id)
    if limited:
        check_quotas(session, settings, request.usuario, author)
    leave_gone_host(session, account, settings.ftp_host_names, choose_host)
    now = database_now(session)
    ensure_password(account, settings.build_fernet(), now)
    session.flush()
    wanted: dict[str, object] = {
        "email": request.usuario,
        "ftpuser": account.name,
        "ftp_host": account.ftp_host,
        "source": source.canonical,
        "source_root": source.root if source.restricted else "",
        "ssh_user": source.ssh_user,
        "ssh_key_file": source.ssh_key_file,
        "size_probe": source.size_probe,
        "local": source.local,
        "method": source.method,
        "reuse": source.reuse,
        "checksums": source.checksums,
        "writable": False,
        **requested,
        "created_at": now,
        "wished_at": now,
        "wanted": DesiredState.PRESENT,
        "author": author,
        "request_id": request_id,
        "due_at": now,
    }
    if share is None:
        generation = find_ended_generation(session, account.ftp_host, request.id) + 1
        share = Share(
            id=request.id,
            generation=generation,
            asked_generation=generation,
            link_nonce=draw_nonce(),
            state=State.RECIBIDO,
            state_changed_at=now,
            message="",
            attempt=0,
            confirmed_generation=0,
            **wanted,
        )
        session.add(share)
        session.flush()
        record_birth(session, share, reason=Phrase("requested"), author=author)
    else:
        is_taken = share.email != request.usuario
        _begin_generation(share, wanted, find_ended_generation(session, account.ftp_host, share.id))
        reason = Phrase("requested" if is_taken else "requested_again")
        transition(session, share, State.RECIBIDO, reason=reason, author=author, is_birth=is_taken)
    session.flush()
    return Accepted(share, created=True)


def _digest_body(request: ShareRequest, host: str, path: str) -> str:
    """Return a digest of a body as it was sent: what it left out is no part of it, so a default may change.

    The ssh user is no part either: the sources file gives each source exactly one.
    """
    said = request.model_dump(include=set(Requested.model_fields), exclude_none=True)
    text = json.dumps([request.usuario, host.lower(), path, said], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _is_same(share: Share, request: ShareRequest, source: ResolvedSource, digests: list[str]) -> bool:
    """Whether a share was requested with this body. One that came from its FTP host has no digest of a body."""
    if share.body_digests is not None:
        return not set(digests).isdisjoint(share.body_digests)
    said = request.model_dump(include=set(Requested.model_fields), exclude_none=True)
    is_same = (share.email, share.source) == (request.usuario, source.canonical)
    return is_same and all(getattr(share, name) == value for name, value in said.items())


def _begin_generation(share: Share, wanted: dict[str, object], ended: int) -> None:
    """Wipe what was known of the ended generation and put down what is wanted now.

    `ended`: a later generation that the FTP host has seen the end of, since an operator used the id meanwhile.
    """
    share.generation = max(share.generation, ended) + 1
    share.asked_generation = share.generation
    share.link_nonce = draw_nonce()
    for column in (
        *WIRES,
        *("error_class", "path", "skipped", "skipped_total", "ready_at", "expires"),
        *(
            "block_reason",
            "lifetime_confirmed",
            "restorable_until",
            "retry_until",
            "lease_run_id",
            "lease_until",
        ),
    ):
        setattr(share, column, None)
    share.message = ()
    share.attempt = 0
    for column, value in wanted.items():
        setattr(share, column, value)


def choose_ftp_host(session: Session, settings: Settings) -> str:
    """Return the FTP host for a new account: the one with most free space at its last run, without paused ones."""
    names = settings.ftp_host_names
    rows = {row.name: row for row in session.scalars(select(FtpHost).where(FtpHost.name.in_(names)))}

    def rank(name: str) -> tuple[bool, int]:
        row = rows.get(name)
        return row is None or not row.paused, int(((row and row.facts) or {}).get("space_free") or 0)

    return max(names, key=rank)
