"""What a recipient does who has a mail and nothing else: a service of its own with a real mail server beside it."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect
from portal import Place, reveal_password

SERVICE_TESTS = Path(__file__).parents[1] / "service"
run_service = runpy.run_path(str(SERVICE_TESTS / "cli" / "conftest.py"))["run_service"]
start_mailbox = runpy.run_path(str(SERVICE_TESTS / "notices" / "conftest.py"))["start_mailbox"]


@pytest.fixture
def mailbox(start_mailbox) -> Any:
    return start_mailbox()


@pytest.fixture
def place(mailbox: Any, make_environ, tmp_path: Path) -> Iterator[Place]:
    """A service that sends mails, with links to itself."""
    environ = make_environ(
        tmp_path,
        TEMPOFTP_SMTP_HOST="localhost",
        TEMPOFTP_SMTP_PORT=str(mailbox.controller.port),
        TEMPOFTP_SMTP_TLS="none",
        TEMPOFTP_SMTP_FROM="datos@inst.example",
        TEMPOFTP_RECONCILE_SECONDS="1",
    )
    environ["TEMPOFTP_PUBLIC_URL"] = f"http://127.0.0.1:{environ['TEMPOFTP_PORT']}"
    with run_service(tmp_path, environ) as running:
        yield Place(running.url, environ["TEMPOFTP_TOKEN"], "source1:/srv/datos/tarda-0", simulated=True)


def test_the_link_in_the_mail_leads_to_the_password(make_page, place: Place, mailbox: Any) -> None:
    body = {"usuario": "ana@inst.example", "id": "del_correo", "ruta": place.source}
    headers = {"Authorization": f"Bearer {place.token}"}
    asked = httpx.post(f"{place.url}/tmpftp", json=body, headers=headers, trust_env=False)
    assert asked.status_code == 202, asked.text
    mailbox.wait_for(1, seconds=60)
    (mail,) = mailbox.mails
    text = mail.get_body(("plain",)).get_content()
    (link,) = set(re.findall(rf"{re.escape(place.url)}/enlace/\S+", text))

    page = make_page()
    page.goto(link)
    expect(page.locator("h1")).to_have_text("del_correo")
    password = reveal_password(page)
    assert len(password) == 20
    assert password not in mail.as_string()
