"""The notices in the worker: it writes reminders, fans new notices out to the channels, and sends what is due.

Each channel has a thread of its own. So a slow mail server or a dead webhook delays no expiry, no run, and no other
channel.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Sequence

from sqlalchemy.exc import SQLAlchemyError

from tempoftp.access.links import is_link_alive, make_link
from tempoftp.db.engine import Database
from tempoftp.db.models import Notice, Share
from tempoftp.notices.deliveries import (
    GIVEN_UP,
    PENDING,
    ClaimedDelivery,
    claim_delivery,
    fan_out,
    find_due_channels,
    find_orphans,
    give_up_orphans,
    is_anything_to_fan_out,
    is_current,
    mark_failed,
    mark_outdated,
    mark_sent,
)
from tempoftp.notices.expiring import find_expiring, note_expiring
from tempoftp.notices.mail import Mailer
from tempoftp.notices.sending import Message, RecipientRefused, Sender, SendFailed
from tempoftp.notices.webhooks import Webhook, read_webhooks
from tempoftp.settings import Settings
from tempoftp.shares.notices import FOR_OPERATORS

logger = logging.getLogger(__name__)

REMIND_SECONDS = 30.0
DECISION_PATH = "/portal/prorrogas"
LEASE_MARGIN_SECONDS = 60.0
"""A lease lasts this much longer than the time limit of a sending, because name look-ups have no time limit."""


def build_senders(settings: Settings) -> list[Sender]:
    """Return the channels of these settings. Raises SettingsError."""
    senders: list[Sender] = [Mailer(settings)] if settings.smtp_host is not None else []
    if settings.operator_email is not None:
        senders.append(Mailer(settings, to=settings.operator_email))
    for entry in read_webhooks(settings):
        senders.append(Webhook(entry, timeout_seconds=settings.notice_timeout_seconds))
    return senders


class Notifier:
    """Sends notices. One per worker process: `start` once, `look` at any time, `stop` at the end."""

    def __init__(self, settings: Settings, database: Database, senders: Sequence[Sender]) -> None:
        self._settings = settings
        self._database = database
        self._senders = {sender.channel.name: sender for sender in senders}
        self._due = {name: threading.Event() for name in self._senders}
        self._stopping = threading.Event()
        self._remind_at = 0.0
        self._threads = [
            threading.Thread(target=self._deliver, args=(name,), name=f"notices-{name}", daemon=True)
            for name in self._senders
        ]

    @property
    def channels(self) -> tuple[str, ...]:
        """The names of its channels."""
        return tuple(self._senders)

    def look(self) -> None:
        """Write the notices and deliveries that are due, and wake the threads that send them. Returns at once."""
        if time.monotonic() >= self._remind_at:
            self._remind_at = time.monotonic() + REMIND_SECONDS
            self._remind()
            self._give_up_orphans()
        with self._database.read() as session:
            not_fanned_out = is_anything_to_fan_out(session)
        if not_fanned_out:
            channels = [sender.channel for sender in self._senders.values()]
            with self._database.write() as session:
                fan_out(session, channels, retry_hours=self._settings.notice_retry_hours)
        with self._database.read() as session:
            due = find_due_channels(session)
        for name in due & set(self._due):
            self._due[name].set()

    def _remind(self) -> None:
        with self._database.read() as session:
            if not find_expiring(session, self._settings):
                return
        with self._database.write() as session:
            noted = note_expiring(session, self._settings)
        logger.info("shares expire soon", extra={"shares": noted})

    def _give_up_orphans(self) -> None:
        with self._database.read() as session:
            if not find_orphans(session, set(self._senders)):
                return
        with self._database.write() as session:
            orphans = give_up_orphans(session, set(self._senders))
        for orphan in orphans:
            values = {"notice": orphan.notice_number, "channel": orphan.channel}
            logger.warning("notice given up: its channel is not configured any more", extra=values)

    def start(self) -> None:
        """Start to send."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Start no more sendings, and wait for the present ones: each has its time limit."""
        self._stopping.set()
        for event in self._due.values():
            event.set()
        deadline = time.monotonic() + self._settings.notice_timeout_seconds
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))

    def _deliver(self, name: str) -> None:
        while not self._stopping.is_set():
            self._due[name].wait()
            self._due[name].clear()
            try:
                while not self._stopping.is_set() and self.deliver_next(name):
                    pass
            except SQLAlchemyError as error:
                # The next look tries it again.
                values = {"channel": name, "reason": type(error).__name__}
                logger.warning("notices wait for the database", extra=values)
            except Exception:
                logger.exception("sending broke; the next look tries again", extra={"channel": name})

    def deliver_next(self, name: str) -> bool:
        """Send the delivery of a channel that has been due longest; False when there is none."""
        seconds = self._settings.notice_timeout_seconds + LEASE_MARGIN_SECONDS
        with self._database.write() as session:
            claimed = claim_delivery(session, name, uuid.uuid4().hex, lease_seconds=seconds)
        if claimed is None:
            return False
        notice = claimed.notice
        try:
            is_outdated = self._is_outdated(name, notice)
            if not is_outdated:
                self._senders[name].send(self._build_message(notice))
        except SQLAlchemyError:
            raise
        except SendFailed as error:
            self._note_failure(name, claimed, error)
            return True
        except Exception as error:
            # A notice that cannot be composed must not block the others: it fails like one that cannot be sent.
            logger.exception("notice cannot be made", extra=_describe(notice, name))
            self._note_failure(name, claimed, SendFailed(type(error).__name__))
            return True
        with self._database.write() as session:
            end = mark_outdated if is_outdated else mark_sent
            end(session, claimed)
        event = "notice is outdated and not sent" if is_outdated else "notice sent"
        logger.info(event, extra=_describe(notice, name))
        return True

    def _is_outdated(self, name: str, notice: Notice) -> bool:
        if not self._senders[name].channel.only_current:
            return False
        with self._database.read() as session:
            return not is_current(session, notice)

    def _build_message(self, notice: Notice) -> Message:
        link = self._name_decision() if notice.kind in FOR_OPERATORS else self._make_link(notice)
        return Message(notice.uid, notice.kind, notice.at, notice.email, notice.data, link)

    def _make_link(self, notice: Notice) -> str | None:
        with self._database.read() as session:
            share = session.get_one(Share, notice.share_id)
            is_same = share.asked_generation == notice.generation and share.email == notice.email
            return make_link(self._settings, share) if is_same and is_link_alive(share) else None

    def _name_decision(self) -> str | None:
        """Return the page on which an operator decides, after signing in; never the recipient's own link."""
        public = self._settings.public_url
        return None if public is None else f"{public}{DECISION_PATH}"

    def _note_failure(self, name: str, claimed: ClaimedDelivery, error: SendFailed) -> None:
        refused = isinstance(error, RecipientRefused)
        with self._database.write() as session:
            state = mark_failed(session, claimed, str(error), refused=refused)
        values = _describe(claimed.notice, name) | {"reason": str(error)}
        if state == PENDING:
            logger.warning("notice not sent yet", extra=values)
        elif state == GIVEN_UP:
            logger.error("notice given up", extra=values)
        else:
            logger.error("notice refused", extra=values)


def _describe(notice: Notice, channel: str) -> dict[str, object]:
    return {"notice": notice.uid, "kind": notice.kind, "share": notice.share_id, "channel": channel}
