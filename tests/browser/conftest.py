"""A real Chromium at the portal of a real service.

* TEMPOFTP_URL and TEMPOFTP_TOKEN name it when they are set; TEMPOFTP_DEMO_SOURCE is what is asked for then
  (`host:/path`, below a root of the sources file). `var/demo.env` has all three.
* TEMPOFTP_SIMULACRO=1: a service with simulated FTP hosts, for a quick look at the pages.
* Else: the service beside the lab's hosts, which are brought up.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.portal import NAMED, SIMULATED, Place
from tests.support.needs import find_program
from tests.support.stage import Stage

SIMULATED_SOURCE = "source1:/srv/datos/tarda-3"
WAIT_MILLISECONDS = 20_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if not NAMED and not SIMULATED:
                item.add_marker(pytest.mark.lab)


@pytest.fixture(scope="session")
def place(request: pytest.FixtureRequest) -> Place:
    """Where the portal is, who signs in and what is asked for."""
    if NAMED:
        return Place(
            os.environ["TEMPOFTP_URL"].rstrip("/"),
            os.environ["TEMPOFTP_TOKEN"],
            os.environ["TEMPOFTP_DEMO_SOURCE"].rpartition("@")[2],
        )
    if SIMULATED:
        running = request.getfixturevalue("service")
        return Place(running.url, running.environ["TEMPOFTP_TOKEN"], SIMULATED_SOURCE, simulated=True)
    stage: Stage = request.getfixturevalue("stage")
    source = stage.make_tree("navegador", files=12)
    return Place(stage.control.url, stage.control.token, f"source1:{source}")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    program = find_program("chromium", "needs_chromium")
    with sync_playwright() as playwright:
        # No sandbox: tests also run as root, and only ever open our own pages.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


MakePage = Callable[..., Page]


@pytest.fixture
def make_page(chromium: Browser, place: Place) -> Iterator[MakePage]:
    """Open a window of one's own: language, colour scheme, width, with or without JavaScript. No page may complain."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def make(locale: str = "es-MX", javascript: bool = True, dark: bool = False, width: int = 1280) -> Page:
        context = chromium.new_context(
            base_url=place.url,
            locale=locale,
            java_script_enabled=javascript,
            color_scheme="dark" if dark else "light",
            viewport={"width": width, "height": 900},
            # A demo's certificate is its own; what is tested here is not that.
            ignore_https_errors=True,
        )
        context.set_default_timeout(WAIT_MILLISECONDS)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if is_complaint(message) else None)
        return page

    yield make
    for context in contexts:
        context.close()
    assert complaints == []


def is_complaint(message: object) -> bool:
    """Whether the browser itself found fault: with our script or our policy; not that a form was refused with 4xx."""
    text = str(getattr(message, "text", ""))
    return getattr(message, "type", "") == "error" and "status of 4" not in text


@pytest.fixture
def page(make_page: MakePage) -> Page:
    return make_page()
