"""The lines of the credentials' page, pasted into a real shell: each fetches what it says from the real server."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest
from playwright.sync_api import Page

from tests.browser.portal import (
    SIMULATED,
    Place,
    ask,
    delete,
    find_account,
    new_id,
    reveal_password,
    sign_in,
    wait_until,
)

pytestmark = pytest.mark.skipif(SIMULATED, reason="a simulated host has no FTP server to fetch from")

SECONDS = 60


@contextmanager
def hold_share(page: Page, place: Place) -> Iterator[tuple[str, str]]:
    """A share that is ready, its page with the credentials open: its id and its password."""
    share_id = new_id()
    sign_in(page, place)
    ask(page, place, share_id)
    wait_until(page, "listo")
    try:
        yield share_id, reveal_password(page)
    finally:
        delete(page, share_id)


def paste(line: str, folder: Path, password: str) -> str:
    """Run a line in a terminal of its own, in `folder`, and type the password when asked; its output."""
    with pexpect.spawn(
        "/bin/bash", ["--norc", "-c", line], cwd=str(folder), encoding="utf-8", timeout=SECONDS
    ) as shell:
        shell.logfile_read = sys.stdout
        said = ""
        while shell.expect(["(?i)password[^:\n]*: ?", pexpect.EOF]) == 0:
            said += shell.before or ""
            shell.sendline(password)
        said += shell.before or ""
        shell.wait()
    assert shell.exitstatus == 0, f"{line}\n{said}"
    assert password not in said
    return said


def digest(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_each_line_does_what_is_said_beside_it(page: Page, place: Place, tmp_path: Path) -> None:
    with hold_share(page, place) as (share_id, password):
        account = find_account(place, share_id)
        assert account is not None
        expected = account.fetch(password)
        assert expected
        lines = {
            name: page.locator(f"#linea-{name}").inner_text() for name in ("openssl", "lftp", "curl", "wget")
        }
        fingerprint = page.locator("#huella").inner_text()
        assert not any(password in line for line in lines.values())

        told = paste(lines["openssl"], tmp_path, password)
        certificate = tmp_path / "servidor.pem"
        assert certificate.exists()
        assert fingerprint.removeprefix("sha256:").upper() in told.upper()

        for name in ("lftp", "wget"):
            folder = tmp_path / name
            folder.mkdir()
            (folder / certificate.name).write_bytes(certificate.read_bytes())
            paste(lines[name], folder, password)
            assert digest(folder / share_id) == expected, name
        listing = paste(lines["curl"], tmp_path, password)
        assert all(name.split("/")[0] in listing for name in expected)
