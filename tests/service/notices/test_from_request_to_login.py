"""A real worker, a real mail server: from a request to the password on the recipient's page, with no token."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tempoftp.app import create_app
from tempoftp.db.engine import Database
from tempoftp.db.models import Account, Share

pytestmark = pytest.mark.processes

PROGRAM = """
from tempoftp.worker.process import run_worker
from tempoftp.settings import load_settings
run_worker(load_settings())
"""


def test_the_link_of_the_mail_shows_the_password(
    start_mailbox, with_mail, database: Database, accept_share: Callable[..., Share], tmp_path: Path
) -> None:
    mailbox = start_mailbox()
    settings = with_mail(mailbox, public_url="https://datos.example.org")
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(__file__).parents[3] / "service"),
        "TEMPOFTP_SIMULACRO": "1",
        "TEMPOFTP_ENCRYPTION_KEY": settings.encryption_key.get_secret_value(),
        "TEMPOFTP_SECRET_KEY": settings.secret_key.get_secret_value(),
        "TEMPOFTP_STATE_DIR": str(settings.state_dir),
        "TEMPOFTP_SOURCES_FILE": str(settings.sources_file),
        "TEMPOFTP_PUBLIC_URL": str(settings.public_url),
        "TEMPOFTP_SMTP_HOST": "localhost",
        "TEMPOFTP_SMTP_PORT": str(settings.smtp_port),
        "TEMPOFTP_SMTP_TLS": "none",
        "TEMPOFTP_SMTP_FROM": str(settings.smtp_from),
    }
    accept_share("p1", ruta="source1:/srv/datos/tarda-0")
    with (tmp_path / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], env=environment, cwd=tmp_path, stderr=log, stdout=log
        )
    try:
        mailbox.wait_for(1, seconds=60)
    finally:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0, (tmp_path / "worker.log").read_text()
    (mail,) = mailbox.mails
    assert (mail["To"], mail["Subject"]) == ("alguien@dominio", "Listo: p1")
    (path,) = set(
        re.findall(r"https://datos\.example\.org(/enlace/\S+)", mail.get_body(("plain",)).get_content())
    )
    with database.read() as session:
        token = session.get_one(Account, session.get_one(Share, "p1").ftpuser).token
    assert token
    password = settings.build_fernet().decrypt(token.encode()).decode()
    assert password not in mail.as_string()
    assert token not in mail.as_string()
    app = create_app(settings)
    try:
        client = app.test_client()
        assert client.get(path).json["status"] == "listo"
        assert client.post(f"{path}/credenciales", json={}).json["password"] == password
    finally:
        app.extensions["tempoftp"].database.close()
