"""A change that a caller asks for: write it down, wake the workers of its FTP host, wait for them, describe the result.

The API waits a bounded time, so most of its answers can say that the change is done. The portal does not wait: it
redirects to a page that shows how far the change is.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any, TypedDict, TypeVar

from flask import Response
from sqlalchemy.orm import Session

from tempoftp.access.recipients import RECIPIENT
from tempoftp.db.models import Account, FtpHost, Share
from tempoftp.hosts.wake_ups import wake
from tempoftp.http.access import find_principal
from tempoftp.http.answers import answer_change
from tempoftp.http.context import ApiContext, get_context
from tempoftp.http.request_id import get_request_id
from tempoftp.refusals import ShareNotFound
from tempoftp.settings import Settings
from tempoftp.shares.desired_state import Pending, list_pending
from tempoftp.shares.serializers import explain_share
from tempoftp.states import DELIVERED, TERMINAL

POLL_SECONDS = 0.1

logger = logging.getLogger(__name__)


class Caller(TypedDict):
    """Who asks for a change: the arguments that most functions of `tempoftp.shares` take for it (`**caller`)."""

    emails: frozenset[str] | None
    author: str
    request_id: str


Written = TypeVar("Written")
Write = Callable[[Session, Caller], Written]
"""Calls the domain inside a write transaction, and returns what the answer needs."""
Describe = Callable[[Session, Share, Account], dict[str, Any]]
"""Returns the body of an answer about a share and its account, as both are after the wait."""


def find_caller() -> Caller:
    """Return who makes the present request. Without a token it is the holder of a link, who may act for no e-mail."""
    principal = find_principal()
    return Caller(
        emails=frozenset() if principal is None else principal.emails,
        author=RECIPIENT if principal is None else principal.name,
        request_id=get_request_id(),
    )


def perform_change(write: Write[Share], describe: Describe, *awaited: Pending) -> Response:
    """Change one share and wait for its FTP host: 200 once none of `awaited` is pending, 202 while one still is."""
    share = write_share_change(write)
    return answer_when_done(share, describe, *awaited)


def write_share_change(write: Write[Share]) -> Share:
    """Change one share and wake the workers of its FTP host, unless the share has ended already."""
    return write_change(write, lambda share: () if share.state in TERMINAL else (share.ftp_host,))


def _wake_nobody(_written: object) -> tuple[str, ...]:
    return ()


def write_change(
    write: Write[Written], list_hosts: Callable[[Written], Iterable[str]] = _wake_nobody
) -> Written:
    """Write a change in one transaction, and wake the workers of the FTP hosts of `list_hosts` after the commit."""
    context, caller = get_context(), find_caller()
    written = context.transact(lambda session: write(session, caller))
    for ftp_host in sorted(set(list_hosts(written))):
        wake_host(context.settings, ftp_host)
    return written


def wake_host(settings: Settings, ftp_host: str) -> None:
    """Tell the workers that a share of this FTP host is due.

    A lost wake-up costs a few seconds, because the worker also looks for due rows by itself. So a failure here does
    not fail the request, whose row is already committed.
    """
    try:
        wake(settings, ftp_host)
    except Exception as error:
        logger.warning("wake-up for %s was lost (%s); the worker will find the row itself", ftp_host, error)


def answer_when_done(changed: Share, describe: Describe, *awaited: Pending) -> Response:
    """Wait until none of `awaited` is pending for a share, and answer 200, or 202 when that takes too long.

    Raises ShareNotFound when the share has ended meanwhile and its id was asked for again, perhaps by somebody else.
    """
    context = get_context()
    done = wait_for_change(context, changed, *awaited)
    with context.database.read() as session:
        share = session.get_one(Share, changed.id)
        if share.asked_generation != changed.asked_generation:
            raise ShareNotFound("share_not_found", id=changed.id)
        body = describe(session, share, session.get_one(Account, share.ftpuser))
    return answer_change(body, done=done)


def describe_pending(session: Session, share: Share, account: Account) -> dict[str, Any]:
    """Return what a share still waits for, and its state in words: the end of every answer to a change."""
    return {
        "pendiente": [word.value for word in list_pending(share, account)],
        "mensaje": explain_share(session, share),
    }


def wait_for_change(context: ApiContext, changed: Share, *awaited: Pending) -> bool:
    """Wait until none of these changes of a share is pending; return whether that is so.

    It does not wait for a share that is not delivered yet (the change is carried out with the delivery), nor while the
    FTP host is paused, nor after the first failure: the answer then says why the change is still pending.
    """
    settled = False

    def is_over(session: Session) -> bool:
        nonlocal settled
        share = session.get_one(Share, changed.id)
        if share.asked_generation != changed.asked_generation:
            return True
        account = session.get_one(Account, share.ftpuser)
        host = session.get(FtpHost, share.ftp_host)
        settled = not set(awaited) & set(list_pending(share, account))
        is_stopped = share.error_class is not None or (host is not None and host.paused)
        return settled or is_stopped or share.state not in DELIVERED

    wait_for(context, is_over, context.settings.deletion_wait_seconds)
    return settled


def wait_until_gone(context: ApiContext, shares: Iterable[Share]) -> bool:
    """Wait until these shares, in the generation that they have here, have ended; return whether that is so."""
    generations = {share.id: share.generation for share in shares}

    def are_gone(session: Session) -> bool:
        rows = (session.get_one(Share, share_id) for share_id in generations)
        # A later generation can only begin after this one has ended.
        return all(row.generation > generations[row.id] or row.state in TERMINAL for row in rows)

    return wait_for(context, are_gone, context.settings.deletion_wait_seconds)


def wait_for(context: ApiContext, is_done: Callable[[Session], bool], seconds: float) -> bool:
    """Call `is_done` until it returns True, for at most `seconds`; return whether it did.

    When too many requests wait already, call it once: many slow changes must not take every thread of the API.
    """
    if not context.waiting_slots.acquire(blocking=False):
        return _poll_until(context, is_done, time.monotonic())
    try:
        return _poll_until(context, is_done, time.monotonic() + seconds)
    finally:
        context.waiting_slots.release()


def _poll_until(context: ApiContext, is_done: Callable[[Session], bool], deadline: float) -> bool:
    while True:
        with context.database.read() as session:
            if is_done(session):
                return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
