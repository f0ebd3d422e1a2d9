"""What a recipient does who has a mail and nothing else; a real mail server stands beside the service."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.portal import NAMED, SIMULATED, Place, find_account, new_id, reveal_password
from tests.support.run_service import run_service
from tests.support.stage import Stage

LOCALES = {"es": "es-MX", "en": "en-GB"}
ACCOUNT = {"es": "Cuenta", "en": "Account"}


@pytest.fixture
def mailbox(start_mailbox) -> Any:
    return start_mailbox()


@pytest.fixture(params=["es", "en"])
def language(request: pytest.FixtureRequest) -> str:
    """What the mail is written in."""
    return str(request.param)


@pytest.fixture
def place(request: pytest.FixtureRequest, mailbox: Any, language: str) -> Iterator[Place]:
    """A service that sends mails, with links to itself: the lab's; a simulated one where the lab is not up."""
    mail = {
        "TEMPOFTP_SMTP_HOST": "localhost",
        "TEMPOFTP_SMTP_PORT": str(mailbox.controller.port),
        "TEMPOFTP_SMTP_TLS": "none",
        "TEMPOFTP_SMTP_FROM": "datos@inst.example",
        "TEMPOFTP_NOTICE_LANGUAGE": language,
    }
    if NAMED or SIMULATED:
        folder = request.getfixturevalue("tmp_path")
        environ = request.getfixturevalue("make_environ")(folder, **mail)
        environ["TEMPOFTP_PUBLIC_URL"] = f"http://127.0.0.1:{environ['TEMPOFTP_PORT']}"
        with run_service(folder, environ) as running:
            yield Place(running.url, environ["TEMPOFTP_TOKEN"], "source1:/srv/datos/tarda-0", simulated=True)
        return
    stage: Stage = request.getfixturevalue("stage")
    mail["TEMPOFTP_PUBLIC_URL"] = stage.control.url
    source = stage.make_tree("correo", files=4)
    with stage.with_settings("".join(f"{name}={value}\n" for name, value in mail.items())):
        yield Place(stage.control.url, stage.control.token, f"source1:{source}")


def test_the_link_in_the_mail_leads_to_the_files(
    make_page, place: Place, mailbox: Any, language: str
) -> None:
    share_id = new_id()
    with httpx.Client(
        base_url=place.url, headers={"Authorization": f"Bearer {place.token}"}, trust_env=False, timeout=30
    ) as client:
        body = {"usuario": f"{share_id}@inst.example", "id": share_id, "ruta": place.source}
        asked = client.post("/tmpftp", json=body)
        assert asked.status_code == 202, asked.text
        try:
            mailbox.wait_for(1, seconds=60)
            (mail,) = mailbox.mails
            assert mail["To"] == f"{share_id}@inst.example"
            text = mail.get_body(("plain",)).get_content()
            (link,) = set(re.findall(rf"{re.escape(place.url)}/enlace/\S+", text))

            page = make_page(locale=LOCALES[language])
            page.goto(link)
            expect(page.locator("h1")).to_have_text(share_id)
            password = reveal_password(page)
            expect(page.locator("#cuenta-titulo")).to_have_text(ACCOUNT[language])
            assert len(password) == 20
            assert password not in mail.as_string()
            account = find_account(place, share_id)
            assert account is None or account.fetch(password)
        finally:
            client.delete(f"/tmpftp/{share_id}")
