"""What a person does at the portal, as the tests and the screenshots do it."""

from __future__ import annotations

import ftplib
import os
import re
import secrets
from contextlib import closing
from dataclasses import dataclass

import httpx
from playwright.sync_api import Page, expect

from tests.support.ftps import log_in, read_tree

READY_MILLISECONDS = 120_000
NAMED = "TEMPOFTP_URL" in os.environ
"""Whether a service that runs already is looked at."""
SIMULATED = not NAMED and os.environ.get("TEMPOFTP_SIMULACRO") == "1"
"""Whether its FTP hosts are simulated."""


@dataclass(frozen=True)
class Place:
    """Where the portal is, who signs in and what is asked for."""

    url: str
    token: str
    source: str
    simulated: bool = False
    """Whether there is no FTP server to log in to."""


@dataclass(frozen=True)
class Account:
    """Where a share is fetched, and by whom; as the API says while it is `listo`."""

    host: str
    user: str
    share_id: str

    def fetch(self, password: str) -> dict[str, str] | None:
        """Log in and fetch all of the share: `{path: sha256}`; None when the server lets nobody in."""
        try:
            client = log_in(self.host, self.user, password)
        except ftplib.error_perm:
            return None
        with closing(client):
            return read_tree(client, f"/{self.share_id}")


def find_account(place: Place, share_id: str) -> Account | None:
    """The account of a share that is ready; None of a simulated service, whose server nobody can reach."""
    if place.simulated:
        return None
    share = httpx.get(
        f"{place.url}/tmpftp/{share_id}",
        headers={"Authorization": f"Bearer {place.token}"},
        trust_env=False,
        timeout=20,
    ).json()
    return Account(share["servidor"]["host"], share["usuario"], share_id)


def new_id() -> str:
    return f"navegador-{secrets.token_hex(4)}"


def sign_in(page: Page, place: Place) -> None:
    page.goto("/portal/")
    page.locator("#token").fill(place.token)
    page.locator("main form button").click()
    expect(page.locator("nav a[aria-current=page]")).to_have_attribute("href", "/portal/solicitudes")


def ask(page: Page, place: Place, share_id: str, *, days: int = 3) -> None:
    """Fill the form in and send it; the share's page is open then.

    Each share is for a person of its own: a later share of an account shows no password.
    """
    page.goto("/portal/nueva")
    page.locator("#usuario").fill(f"{share_id}@dominio.example")
    root = choose_root(page, place.source)
    page.locator("#camino").fill(place.source.removeprefix(root).lstrip("/"))
    page.locator("#id").fill(share_id)
    page.locator("#vigencia").fill(str(days))
    page.locator("main form .button-main").click()
    page.wait_for_url(re.compile(rf"/portal/solicitudes/{share_id}$"))


def preview(page: Page, place: Place) -> None:
    """Have the size of the source shown, on the form."""
    page.goto("/portal/nueva")
    root = choose_root(page, place.source)
    page.locator("#camino").fill(place.source.removeprefix(root).lstrip("/"))
    page.locator("main form button[name=ver]").click()
    expect(page.locator("#vista")).to_be_visible()


def choose_root(page: Page, source: str) -> str:
    """Choose the root that the source is below: the deepest that fits."""
    values = [option.get_attribute("value") or "" for option in page.locator("#origen option").all()]
    root = max((value for value in values if source.startswith(value)), key=len)
    page.locator("#origen").select_option(root)
    return root


def wait_until(page: Page, state: str) -> None:
    """Watch until the page, by itself, shows this state."""
    expect(page.locator(f"#avance .badge-{state}")).to_be_visible(timeout=READY_MILLISECONDS)


def reload_until(page: Page, state: str) -> None:
    """The same for a page that needs to be loaded again (no JavaScript)."""
    for _ in range(READY_MILLISECONDS // 500):
        if page.locator(f"#avance .badge-{state}").count():
            return
        page.wait_for_timeout(500)
        page.reload()
    raise AssertionError(f"it did not become {state}: {page.locator('#avance').inner_text()}")


def reveal_password(page: Page) -> str:
    """Have the credentials shown; returns the password."""
    page.locator("form[action$='/credenciales'] button").click()
    return page.locator("#clave").inner_text()


def change(page: Page, share_id: str, name: str) -> None:
    """Go from a share's page to the question before a change."""
    page.goto(f"/portal/solicitudes/{share_id}")
    page.locator(f".actions a[href$='/{name}']").click()


def confirm(page: Page) -> None:
    """Answer the question with yes."""
    page.locator("main form .buttons button").click()


def make_link(page: Page, share_id: str) -> str:
    """Make a link for a share's recipient; returns its path."""
    page.goto(f"/portal/solicitudes/{share_id}")
    page.locator("form[action$='/enlace'] button").click()
    return "/" + page.locator("#enlace").inner_text().split("/", 3)[3]


def delete(page: Page, share_id: str) -> None:
    """End a share; the list is open then, and says so."""
    change(page, share_id, "eliminar")
    confirm(page)
    page.wait_for_url(re.compile(r"/portal/solicitudes$"))
