"""What a change needs after it is written down: wake the workers of its FTP host, and wait a bounded time for it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from sqlalchemy.orm import Session

from tempoftp.db.models import Account, FtpHost, Share
from tempoftp.hosts.wake_ups import wake
from tempoftp.http.context import ApiContext
from tempoftp.settings import Settings
from tempoftp.shares.desired_state import Pending, list_pending
from tempoftp.states import DELIVERED

POLL_SECONDS = 0.1


def wait_for(context: ApiContext, is_done: Callable[[Session], bool]) -> bool:
    """Look until `is_done`, for at most `deletion_wait_seconds`; returns whether it came true.

    When too many requests wait already, look once: a flood of changes must not keep others from an answer.
    """
    if not context.waiting_slots.acquire(blocking=False):
        return _look_until(context, is_done, time.monotonic())
    try:
        return _look_until(context, is_done, time.monotonic() + context.settings.deletion_wait_seconds)
    finally:
        context.waiting_slots.release()


def _look_until(context: ApiContext, is_done: Callable[[Session], bool], deadline: float) -> bool:
    while True:
        with context.database.read() as session:
            if is_done(session):
                return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)


def wait_for_change(context: ApiContext, share_id: str, *words: Pending) -> bool:
    """Wait until none of these wishes about a share is pending; returns whether that is so.

    Not for a share on its way (its wish is carried out when it is delivered), nor while its host is paused, nor longer
    than its first failure: the answer then says what is in the way.
    """
    settled = False

    def is_over(session: Session) -> bool:
        nonlocal settled
        share = session.get_one(Share, share_id)
        account = session.get_one(Account, share.ftpuser)
        host = session.get(FtpHost, share.ftp_host)
        settled = not set(words) & set(list_pending(share, account))
        in_the_way = share.error_class is not None or (host is not None and host.paused)
        return settled or in_the_way or share.state not in DELIVERED

    wait_for(context, is_over)
    return settled


logger = logging.getLogger(__name__)


def wake_host(settings: Settings, ftp_host: str) -> None:
    """Tell the workers that a share of this FTP host is due.

    A wake-up that gets lost costs seconds, since the worker looks for due rows by itself. So it never fails a request
    whose row is already committed.
    """
    try:
        wake(settings, ftp_host)
    except Exception as error:
        logger.warning("wake-up for %s was lost (%s); the worker will find the row itself", ftp_host, error)
