"""A canary: after a run with known secrets, each of them is searched everywhere and found only where it belongs.

Searched: every file of both hosts, their journals, everything the service keeps (logs, databases, run folders while
they exist), the command lines and environments of every process while it runs, and the pages and answers of the API.
"""

from __future__ import annotations

import base64
import os
import re
import shlex
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import pytest
import yaml
from aiosmtpd.smtp import AuthResult

from tests.support.api_client import ApiClient
from tests.support.ftps import log_in, read_tree
from tests.support.outside import Outside, follow_link, visit_portal
from tests.support.stage import CREDENTIALS, Stage

pytestmark = pytest.mark.lab

# The places where a secret belongs on a host, as a regular expression of paths. Any other place is a leak.
PLACES_ON_FTP_HOST = {
    # the modules' login; root, 0600
    "modules' MySQL password": r"/etc/tempoftp/mysql\.cnf",
    # pure-ftpd's own login, and its configuration; root, 0600
    "pure-ftpd's MySQL password": r"/etc/tempoftp/pureftpd\.cnf|/etc/pure-ftpd/db/mysql\.conf",
    # root, 0600; it never leaves this host
    "ssh key towards the source": r"/etc/tempoftp/ssh/source1-datos",
    # pure-ftpd compares with it: the users table and InnoDB's logs
    "password's hash": r"/var/lib/mysql/.*",
    "hash that replaced it": r"/var/lib/mysql/.*",
}
# Secrets in the settings. The environment of API and worker has them from the start, as with systemd; only their user
# and root can read it.
IN_SETTINGS = ("encryption key", "mail server's password")
KEY_HOLDERS = re.compile(rb"tempoftp\0(serve|worker|db)\0?")
SHARES = ("canario_1", "canario_2", "canario_error")


@dataclass
class Processes:
    """Every command line and environment that was seen during the watch."""

    seen: dict[bytes, set[bytes]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    def look(self, runs: Path) -> None:
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command_line = (folder / "cmdline").read_bytes()
                environment = (folder / "environ").read_bytes()
            except OSError:
                continue
            if command_line:
                self.seen.setdefault(command_line, set()).add(environment)
        # A run's folder may vanish during the search. `walk` then continues with the next one, `rglob` does not.
        for folder_name, _folders, names in os.walk(runs):
            for path in (Path(folder_name, name) for name in names):
                try:
                    if path.is_file():  # without the named pipe of the request
                        self.files[str(path)] = path.read_bytes()
                except OSError:
                    continue


@contextmanager
def watch_processes(runs: Path) -> Iterator[Processes]:
    """Sample the processes of this machine and of the lab's hosts, and the run folders."""
    processes, over = Processes(), threading.Event()

    def sample() -> None:
        while not over.wait(0.02):
            processes.look(runs)

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield processes
    finally:
        over.set()
        thread.join()


@pytest.fixture
def outside(
    stage: Stage, start_mailbox: Callable[..., Any], start_receiver: Callable[..., Any], tmp_path: Path
) -> Iterator[Outside]:
    """The service with all of its outputs on: a debug log, a mail server with a login, and a webhook."""
    mail_password, webhook_secret = token_urlsafe(24), token_urlsafe(24)

    def check_login(_server: Any, _session: Any, _envelope: Any, _mechanism: str, login: Any) -> AuthResult:
        return AuthResult(success=login.password == mail_password.encode(), handled=False)

    mailbox = start_mailbox(auth_require_tls=False, authenticator=check_login)
    receiver = start_receiver()
    # Outside the control host's folder, because that one is searched and the secret belongs here.
    webhooks = tmp_path / "webhooks.yml"
    webhooks.touch(mode=0o600)
    entry = {"name": "canario", "url": receiver.url, "secret": webhook_secret}
    webhooks.write_text(yaml.safe_dump({"webhooks": [entry]}))
    settings = {
        "TEMPOFTP_LOG_LEVEL": "DEBUG",
        "TEMPOFTP_SMTP_HOST": "localhost",
        "TEMPOFTP_SMTP_PORT": mailbox.controller.port,
        "TEMPOFTP_SMTP_TLS": "none",
        "TEMPOFTP_SMTP_USER": "canario",
        "TEMPOFTP_SMTP_PASSWORD": mail_password,
        "TEMPOFTP_SMTP_FROM": "datos@inst.example",
        "TEMPOFTP_OPERATOR_EMAIL": "guardia@inst.example",
        "TEMPOFTP_WEBHOOKS_FILE": webhooks,
        "TEMPOFTP_PUBLIC_URL": stage.control.url,
    }
    with stage.with_settings("".join(f"{name}={value}\n" for name, value in settings.items())):
        yield Outside(mailbox, receiver, mail_password, webhook_secret)


def read_key_body(stage: Stage, path: str) -> str:
    """Return a line from the middle of a private key, which the public key does not contain."""
    lines = stage.ftp(f"cat {path}").splitlines()
    assert len(lines) > 4, path
    return lines[len(lines) // 2]


def read_client_password(stage: Stage, path: str) -> str:
    found = re.search(r'^password\s*=\s*"?([^"\n]+)"?$', stage.ftp(f"cat {path}"), re.MULTILINE)
    assert found, path
    return found[1]


def write_forms(secret: str) -> list[str]:
    """Return a secret unchanged, and as base64 at each of its three alignments."""
    plain = secret.encode()
    forms = [secret]
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + plain).decode()
        forms.append(encoded[4 if shift else 0 : len(encoded) // 4 * 4 - 4])
    return forms


def find_on_host(run: Callable[[str], str], secrets: Mapping[str, str]) -> dict[str, list[str]]:
    """Return name of secret → files of a host that contain it, and `journal`, which is compressed on disk.

    The whole disk is read once for all secrets; afterwards the files that were found are read for each secret.
    """
    everything = "\n".join(form for secret in secrets.values() for form in write_forms(secret))
    holders = run(
        f"grep -rlaF --devices=skip -f <(printf %s {shlex.quote(everything)}) / --exclude-dir=proc --exclude-dir=sys "
        "--exclude-dir=dev --exclude-dir=srv 2>/dev/null; true"
    ).splitlines()
    quoted = " ".join(shlex.quote(path) for path in holders)
    found = {}
    for name, secret in secrets.items():
        patterns = f"-f <(printf %s {shlex.quote(chr(10).join(write_forms(secret)))})"
        found[name] = run(
            f"grep -laF {patterns} /dev/null {quoted} 2>/dev/null; "
            f"journalctl --quiet --no-pager --output=export | grep -qaF {patterns} && echo journal; true"
        ).splitlines()
    return found


def find_on_control(stage: Stage, secret: str) -> list[str]:
    """Return the service's files that contain a secret, except its settings and the operator's file."""
    forms = [form.encode() for form in write_forms(secret)]
    found = []
    for folder, _, names in os.walk(stage.control.home):
        for path in (Path(folder, name) for name in names):
            if path in stage.control.list_secret_files() or not path.is_file():
                continue
            with suppress(FileNotFoundError):  # the folder of a run that has just ended
                if any(form in path.read_bytes() for form in forms):
                    found.append(str(path.relative_to(stage.control.home)))
    return found


def read_pages(api: ApiClient) -> dict[str, str]:
    """Return every page and answer that the API gives."""
    paths = [
        "/",
        "/health",
        "/openapi.json",
        "/docs",
        "/metrics",
        "/tmpftp",
        "/tmpftp?estado=listo",
        "/tmpftp/auditoria",
        "/tmpftp/prorrogas",
    ]
    for share_id in SHARES:
        paths += [f"/tmpftp/{share_id}", f"/tmpftp/{share_id}/eventos", f"/tmpftp/{share_id}/log"]
    pages = {}
    for path in paths:
        for accept in ("application/json", "text/html"):
            answer = api.http.get(path, headers={"Accept": accept}, follow_redirects=True)
            assert answer.status_code < 500 or path == "/health", answer.text
            pages[path] = pages.get(path, "") + answer.text + str(answer.headers)
    return pages


def test_no_secret_is_where_it_does_not_belong(api: ApiClient, stage: Stage, outside: Outside) -> None:
    source = stage.make_tree("canario", files=2)
    with watch_processes(stage.control.home / "state" / "runs") as processes:
        api.post("canario@dominio.example", "canario_1", f"source1:{source}")
        first = api.wait_ready("canario_1")
        password = stage.decrypt(first["password"])
        api.post("canario@dominio.example", "canario_2", f"source1:{source}")
        second = api.wait_ready("canario_2")
        with closing(log_in(stage.ftp_address, first["usuario"], password)) as client:
            assert read_tree(client, "/canario_1") == stage.digest_source(source)
        outside.mailbox.wait_for(2, seconds=60)  # a mail for each of the two ready shares
        mailed = outside.read_link("canario_1")
        guest_pages = follow_link(stage.control.url, mailed, password)
        # A link contains its end in seconds. Made in the same second, it would be the same as the link in the mail.
        time.sleep(1.1)
        made = api.http.post("/tmpftp/canario_2/enlace", json={}).json()["enlace"].rpartition("/")[2]
        # Failures, each with an exception somewhere in the service.
        api.post("canario@dominio.example", "canario_error", "source1:/srv/datos/no_existe")
        api.wait_for("canario_error", lambda a: a["status"] == "error")
        stage.ftp("systemctl stop mariadb")
        api.post("canario.otro@dominio.example", "canario_3", f"source1:{source}")
        api.wait_for("canario_3", lambda a: a["error"] == "database_unavailable")
        stage.ftp("systemctl start mariadb")
        third = api.wait_ready("canario_3")
        api.http.post("/tmpftp", json={"usuario": password, "id": password, "ruta": password})
        rotated = api.http.post("/tmpftp/canario_1/password", json={}).json()
        api.wait_for("canario_1", lambda a: not a["pendiente"])
        api.http.post("/tmpftp/canario_2/bloquear", json={"razon": "una prueba"})
        api.http.post("/tmpftp/auditoria", json={})
        session, portal_pages = visit_portal(stage.control.url, stage.control.token, SHARES)
        # Mails: three ready shares, one that failed, and to an operator the request for more days.
        outside.mailbox.wait_for(5, seconds=60)
        pages = read_pages(api) | portal_pages | guest_pages
        pages |= {"mails": outside.read_mails(), "webhook": outside.read_calls()}
        api.delete("canario_3")
    stage.ftp("systemctl restart mariadb")  # writes to disk what is only in memory
    keys = [
        key.strip()
        for key in f"{stage.encryption_key},{stage.secret_key},{stage.control.client_key}".split(",")
    ]
    secrets = {
        "password": password,
        "password that replaced it": stage.decrypt(rotated["password"]),
        "password's hash": second["password"],
        "hash that replaced it": stage.read_password_hash(first["usuario"]),
        "modules' MySQL password": read_client_password(stage, "/etc/tempoftp/mysql.cnf"),
        "pure-ftpd's MySQL password": read_client_password(stage, "/etc/tempoftp/pureftpd.cnf"),
        "ssh key towards the source": read_key_body(stage, "/etc/tempoftp/ssh/source1-datos"),
        "another account's password": stage.decrypt(third["password"]),
        "API token": stage.control.token,
        # Only the signature of a link is secret, not the part before it.
        "recipient's link in a mail": mailed.rpartition(".")[2],
        "recipient's link that was made": made.rpartition(".")[2],
        "portal session": session,
        "mail server's password": outside.mail_password,
        "webhook's secret": outside.webhook_secret,
        **{f"encryption key {number}": key for number, key in enumerate(keys)},
    }
    assert len(set(secrets.values())) == len(secrets)
    on_source, on_ftp_host = find_on_host(stage.source, secrets), find_on_host(stage.ftp, secrets)
    leaks = []
    for name, secret in secrets.items():
        assert len(secret) >= 12, f"{name} is too short to be searched for"
        forms = [form.encode() for form in write_forms(secret)]
        leaks += [
            f"{name}: page {path}"
            for path, page in pages.items()
            if not _is_shown(name, path) and any(form in page.encode() for form in forms)
        ]
        for command_line, environments in processes.seen.items():
            shown = command_line.replace(b"\0", b" ").decode(errors="replace")
            leaks += [f"{name}: command line of {shown}" for form in forms if form in command_line]
            may_hold = name.startswith(IN_SETTINGS) and KEY_HOLDERS.search(command_line)
            leaks += [
                f"{name}: environment of {shown}"
                for form in forms
                if not may_hold and any(form in environment for environment in environments)
            ]
        leaks += [
            f"{name}: {path}" for path, text in processes.files.items() for form in forms if form in text
        ]
        leaks += [
            f"{name}: control {path}" for path in find_on_control(stage, secret) if not _is_kept(name, path)
        ]
        leaks += [f"{name}: source host {path}" for path in on_source[name]]
        allowed = PLACES_ON_FTP_HOST.get(name, r"(?!)")
        found = on_ftp_host[name]
        leaks += [f"{name}: FTP host {path}" for path in found if not re.fullmatch(allowed, path)]
        if (
            name in PLACES_ON_FTP_HOST and name != "password's hash"
        ):  # a secret that was replaced may be gone already
            assert found, f"{name} was not even found where it belongs: the search finds nothing"
    assert leaks == []
    _check_watch(stage, processes)
    _check_columns(stage, password)


def _is_shown(name: str, path: str) -> bool:
    """Return whether a page may show it: the hash of a later share, as the seed says, and a link."""
    if "hash" in name:
        return path == "/tmpftp/canario_2"
    return name == "recipient's link in a mail" and path in ("/portal/enlace/…", "mails")


def _is_kept(name: str, path: str) -> bool:
    """Return whether a file may keep it: the service's database keeps hashes, to send them again unchanged."""
    return "hash" in name and path.startswith("state/tempoftp.sqlite3")


def _check_watch(stage: Stage, processes: Processes) -> None:
    """Check that the watch works: it has seen the processes that must have run."""
    command_lines = b"\n".join(processes.seen)
    for program in (
        b"ansible-playbook",
        b"rsync",
        b"ssh",
        b"tempoftp\0worker",
        b"/copy\0canario_1",
        b"pure-ftpd",
    ):
        assert program in command_lines, program
    holders = {
        line
        for line, texts in processes.seen.items()
        if any(stage.encryption_key.encode() in t for t in texts)
    }
    assert any(b"worker" in line for line in holders)


def _check_columns(stage: Stage, password: str) -> None:
    """Check that no column of the service's database has the password in clear, and that it has rows."""
    database = stage.control.home / "state" / "tempoftp.sqlite3"
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        dump = "\n".join(connection.iterdump())
    assert "canario@dominio.example" in dump
    assert password not in dump


def test_an_operators_run_shows_no_secret(stage: Stage, tmp_path: Path) -> None:
    """`share.yml -vvv --diff` makes a password itself. Only its file contains it; the output does not."""
    source = stage.make_tree("canario_operador", files=1)
    shares = tmp_path / "shares.yml"
    entry = f"id: canario_op, ftpuser: ftp_canario_op, source: 'source1:{source}', lifetime_days: 1"
    shares.write_text(f"shares:\n  - {{{entry}}}\n")
    file = CREDENTIALS / stage.ftp_host / "ftp_canario_op"
    file.unlink(missing_ok=True)
    with watch_processes(tmp_path / "none") as processes:
        said = stage.run_playbook("playbooks/share.yml", "-vvv", "--diff", "-e", f"shares_file={shares}")
        password = file.read_text().strip()
        hashed = stage.read_password_hash("ftp_canario_op")
        shares.write_text(f"shares:\n  - {{state: absent, {entry}}}\n")
        said += stage.run_playbook("playbooks/share.yml", "-vvv", "--diff", "-e", f"shares_file={shares}")
    file.unlink(missing_ok=True)
    mysql = read_client_password(stage, "/etc/tempoftp/mysql.cnf")
    assert "canario_op" in said
    for name, secret in {"password": password, "hash": hashed, "mysql": mysql}.items():
        for form in write_forms(secret):
            assert form not in said, f"{name} is printed"
            assert not any(form.encode() in line for line in processes.seen), f"{name} is in a command line"
            assert not any(form.encode() in text for texts in processes.seen.values() for text in texts), name
    for run in (stage.ftp, stage.source):
        assert find_on_host(run, {"password": password}) == {"password": []}
