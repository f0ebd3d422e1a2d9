"""kill -9 between the sending of a notice and the note that it was sent: twice may come, never nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from tempoftp.db.clock import utc_now
from tempoftp.db.engine import Database
from tempoftp.db.models import NoticeDelivery
from tempoftp.notices.notifier import Notifier, build_senders
from tempoftp.settings import Settings

pytestmark = pytest.mark.processes

PROGRAM = """
from tempoftp.notices.notifier import Notifier, build_senders
from tempoftp.settings import load_settings
from tempoftp.db.engine import open_database
settings = load_settings()
notifier = Notifier(settings, open_database(settings), build_senders(settings))
notifier.look()
while notifier.deliver_next("correo"):
    pass
"""


def start(settings: Settings) -> subprocess.Popen[bytes]:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(__file__).parents[3] / "service"),
        "TEMPOFTP_SIMULACRO": "1",
        "TEMPOFTP_ENCRYPTION_KEY": settings.encryption_key.get_secret_value(),
        "TEMPOFTP_SECRET_KEY": settings.secret_key.get_secret_value(),
        "TEMPOFTP_STATE_DIR": str(settings.state_dir),
        "TEMPOFTP_SMTP_HOST": "localhost",
        "TEMPOFTP_SMTP_PORT": str(settings.smtp_port),
        "TEMPOFTP_SMTP_TLS": "none",
        "TEMPOFTP_SMTP_FROM": str(settings.smtp_from),
    }
    return subprocess.Popen([sys.executable, "-c", PROGRAM], env=environment)


def read_states(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(select(NoticeDelivery.state).order_by(NoticeDelivery.number)))


def test_a_mail_that_was_taken_but_not_noted_comes_again_with_its_name(
    start_mailbox, with_mail, database: Database, make_ready
) -> None:
    mailbox = start_mailbox()
    settings = with_mail(mailbox)
    make_ready("p1", "p2")
    processes: list[subprocess.Popen[bytes]] = []
    # The server has the mail; its answer never reaches the sender.
    mailbox.on_data = lambda: (os.kill(processes[0].pid, signal.SIGKILL), processes[0].wait())
    processes.append(start(settings))
    assert processes[0].wait(60) == -signal.SIGKILL
    assert len(mailbox.mails) == 1
    assert read_states(database) == ["pending", "pending"]

    mailbox.on_data = lambda: None
    notifier = Notifier(settings, database, build_senders(settings))
    assert notifier.deliver_next("correo")
    assert not notifier.deliver_next("correo"), "the dead one's lease still holds the first"
    with database.write() as session:
        session.execute(
            update(NoticeDelivery)
            .where(NoticeDelivery.lease_until.is_not(None))
            .values(lease_until=utc_now() - timedelta(seconds=1))
        )
    assert notifier.deliver_next("correo")
    assert not notifier.deliver_next("correo")
    assert read_states(database) == ["sent", "sent"]
    names = [mail["Message-ID"] for mail in mailbox.mails]
    assert len(names) == 3
    assert len(set(names)) == 2, "a receiver tells the second of the two by its name"


def test_a_process_that_is_not_killed_tells_each_once(
    start_mailbox, with_mail, database: Database, make_ready
) -> None:
    mailbox = start_mailbox()
    make_ready("p1", "p2")
    for _ in range(2):
        assert start(with_mail(mailbox)).wait(60) == 0
    assert len(mailbox.mails) == 2
    assert read_states(database) == ["sent", "sent"]
