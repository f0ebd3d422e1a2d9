"""The ground of the fault tests: one lab net with its service, the shares of the cells, and checks of all of it.

A cell checks through the API, over FTPS or on the hosts; nothing here imports the service's code.
"""

from __future__ import annotations

import datetime as dt
import ftplib
import json
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx

from tests.support.api_client import ON_ITS_WAY, ApiClient
from tests.support.ftps import log_in, read_tree
from tests.support.stage import PROJECT, Stage

WATCH = Path(__file__).with_name("watch_copiers.py")
# More than the copier copies without a probe (32 MiB).
BIG_FILES, BIG_KIB = 12, 4096
# The part of a big share that has arrived when it is held. A restart from nothing would send it again.
HELD_BYTES = 24_000_000
SLOW = "tc qdisc replace dev host0 root tbf rate 40mbit burst 256kbit latency 400ms"
# With more files than this, only a part is fetched over FTPS.
MANY = 1000
# 100,000 files of 1,000 bytes. One folder has more than the 10,000 entries that pure-ftpd lists by default, and one is
# small enough to be fetched.
MAKE_MANY = """
import os, sys
counts = {"muchos": 20000, "pocos": 50, "resto": 950} | {f"lote_{number}": 1000 for number in range(79)}
for folder, count in counts.items():
    os.makedirs(f"{sys.argv[1]}/{folder}")
    for number in range(count):
        with open(f"{sys.argv[1]}/{folder}/archivo {number}", "wb") as file:
            file.write(os.urandom(1000))
"""
# Moves the past times of a manifest further into the past.
AGE = """
import datetime, json, os, sys
path, form = sys.argv[1], "%Y-%m-%dT%H:%M:%SZ"
manifest = json.load(open(path))
for key in ("created_at", "delivered_at", "ready_at", "expires"):
    then = datetime.datetime.strptime(manifest[key], form) - datetime.timedelta(seconds=int(sys.argv[2]))
    manifest[key] = then.strftime(form)
with open(path + ".new", "w") as file:
    json.dump(manifest, file)
os.rename(path + ".new", path)
"""
RRSYNC = "/usr/bin/rrsync"
# On the source, in front of rrsync: it stops the dry run of a probe while the gate is closed.
GATED_RRSYNC = """#!/bin/sh
if echo "$SSH_ORIGINAL_COMMAND" | grep -qE ' -[a-zA-Z]*n[a-zA-Z]*(e?\\.| )'; then
  while [ -e /run/tempoftp-gate ]; do sleep 0.05; done
fi
exec /usr/local/lib/rrsync "$@"
"""


@dataclass
class Subject:
    """The share of a cell, held in a state until `release`."""

    ground: Ground
    id: str
    source: str
    digests: dict[str, str]
    access: dict[str, Any] = field(default_factory=dict)
    """How to log in, as the API answered when it was `listo`."""
    staged: int = 0
    """Bytes that were there when it was held in mid copy."""
    sent_before: int = 0
    """Bytes that the source host had sent by then."""
    holds: list[Callable[[], object]] = field(default_factory=list)

    @property
    def email(self) -> str:
        return f"{self.id}@faults.example"

    fetchable: bool = False
    """Whether its data is there for whoever logs in."""

    def ask(self) -> None:
        answer = self.ground.api.post(self.email, self.id, f"source1:{self.source}", 3)
        assert answer.status_code == 202, answer.text

    def look(self) -> dict[str, Any]:
        return self.ground.api.get(self.id)

    def release(self) -> None:
        """Release it. If a host is away, the next call undoes what could not be undone now."""
        waiting, self.holds = self.holds, []
        for undo in reversed(waiting):
            try:
                undo()
            except (AssertionError, httpx.TransportError):
                self.holds.insert(0, undo)

    def wait_state(self, *states: str, seconds: float = 120) -> dict[str, Any]:
        return self.ground.api.wait_for(self.id, lambda a: a.get("status") in states, seconds=seconds)

    def wait_ready(self, seconds: float = 180) -> None:
        self.access = self.ground.api.wait_ready(self.id, seconds=seconds)
        self.fetchable = True

    def log_in(self) -> ftplib.FTP_TLS:
        stage = self.ground.stage
        return log_in(stage.ftp_address, self.access["usuario"], stage.decrypt(self.access["password"]))

    def check_contents(self) -> None:
        """Check every byte over FTPS. Of very many files, check all on the host and a part over FTPS."""
        if len(self.digests) > MANY:
            self._check_many()
            return
        with closing(self._await_server()) as client:
            assert read_tree(client, f"/{self.id}") == self.digests

    def _await_server(self) -> ftplib.FTP_TLS:
        """Log in. A host that has just been started answers ssh before its FTP server listens."""
        deadline = time.monotonic() + 60
        while True:
            try:
                return self.log_in()
            except ConnectionRefusedError:
                assert time.monotonic() < deadline, "the FTP server does not listen"
                time.sleep(0.5)

    def _check_many(self) -> None:
        place = self.access["directorio"]
        found = self.ground.stage.ftp(f"cd {place} && find . -type f -exec sha256sum {{}} +").splitlines()
        assert {line[66:].removeprefix("./"): line[:64] for line in found} == self.digests
        few = {
            name.removeprefix("pocos/"): digest for name, digest in self.digests.items() if "pocos/" in name
        }
        many = {name.removeprefix("muchos/") for name in self.digests if "muchos/" in name}
        with closing(self.log_in()) as client:
            assert read_tree(client, f"/{self.id}/pocos") == few
            assert {
                name for name, facts in client.mlsd(f"/{self.id}/muchos") if facts["type"] == "file"
            } == many

    def check_refused(self) -> None:
        """Check that the account's password is refused."""
        try:
            self.log_in().close()
        except (ftplib.Error, EOFError, OSError):
            return
        raise AssertionError(f"{self.access['usuario']} can still log in")


class Ground:
    """One stage with its API, and the functions that cells need."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.api = ApiClient(stage.control.url, stage.control.token)
        self.number = 0
        self.neighbour: Subject | None = None

    # -- before and between cells -------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Put the gate on the source, the watch on the FTP host, and there one share that no cell may affect."""
        self.start_all()  # shares that an earlier run left when its hosts were kept
        self.api.delete_all()
        self.stage.source(
            f"mv -n {RRSYNC} /usr/local/lib/rrsync && printf %s {shell_quote(GATED_RRSYNC)} > {RRSYNC} && "
            f"chmod 755 {RRSYNC}"
        )
        self.start_watch()
        self.neighbour = self.make_subject()
        self.neighbour.ask()
        self.neighbour.wait_ready()

    def start_watch(self) -> None:
        """Watch on the FTP host how many copiers run. It has to be started again after each boot."""
        self.stage.ftp(
            "systemctl is-active --quiet watch-copiers || { mkdir -p /var/tmp/copiers && "
            f"printf %s {shell_quote(WATCH.read_text())} > /var/tmp/watch_copiers.py && "
            "systemd-run --quiet --collect --unit=watch-copiers python3 /var/tmp/watch_copiers.py; }"
        )

    def make_subject(self, *, big: bool = False) -> Subject:
        """Make a new share's name and its data on the source; do not request it yet."""
        self.number += 1
        name = f"caso_{self.number}"
        files, kib = (BIG_FILES, BIG_KIB) if big else (3, 16)
        source = self.stage.make_tree(name, files=files, kib=kib)
        return Subject(self, name, source, self.stage.digest_source(source))

    def make_many(self) -> Subject:
        """The same with 100,000 small files."""
        self.number += 1
        name = f"caso_{self.number}"
        source = f"/srv/datos/e2e/{name}"
        self.stage.source(f"python3 -c {shell_quote(MAKE_MANY)} {source} && chmod -R a+rX /srv/datos/e2e")
        subject = Subject(self, name, source, self.stage.digest_source(source))
        assert len(subject.digests) == 100_000
        return subject

    def start_all(self) -> None:
        """Bring both hosts up and connect them, and start the service, whatever a cell left."""
        for host in (self.stage.ftp_host, self.stage.source_host):
            state = json.loads(self.stage.lab("status", "--json"))
            row = next(row for row in state if row["name"] == host)
            if row["state"] == "frozen":
                self.stage.lab("thaw", host)
            if row["link"] == "down":
                self.stage.lab("link-up", host)
            self.stage.lab("start", host)
        self.stage.source("tc qdisc del dev host0 root 2>/dev/null; rm -f /run/tempoftp-gate")
        self.stage.control.start()
        self.resume_runs()

    # -- holds --------------------------------------------------------------------------------------------------

    @property
    def database_file(self) -> Path:
        return Path(self.stage.control.read_settings()["TEMPOFTP_STATE_DIR"]) / "tempoftp.sqlite3"

    def pause_runs(self) -> None:
        """Let no new run start on the FTP host."""
        self._tell("/pausar")

    def resume_runs(self) -> None:
        self._tell("/reanudar")

    def _tell(self, path: str) -> None:
        answer = self.api.http.post(path, json={"host": self.stage.ftp_host})
        assert answer.status_code == 200, answer.text

    def age(self, subject: Subject) -> None:
        """Make a delivered share a day older than its lifetime."""
        user, seconds = subject.access["usuario"], (int(subject.access["vigencia"]) + 1) * 86400
        self.stage.ftp(f"python3 -c {shell_quote(AGE)} /data/.tempoftp/shares/{subject.id}.json {seconds}")
        self.stage.query(
            f"UPDATE users SET Expires = Expires - INTERVAL {seconds} SECOND WHERE User = '{user}'"
        )
        with closing(sqlite3.connect(self.database_file, timeout=20, isolation_level=None)) as database:
            times = database.execute(
                "SELECT ready_at, expires FROM shares WHERE id = ?", (subject.id,)
            ).fetchone()
            earlier = [str(dt.datetime.fromisoformat(time) - dt.timedelta(seconds=seconds)) for time in times]
            database.execute(
                "UPDATE shares SET ready_at = ?, expires = ? WHERE id = ?", (*earlier, subject.id)
            )

    def slow_source(self) -> None:
        self.stage.source(SLOW)

    def quicken_source(self) -> None:
        self.stage.source("tc qdisc del dev host0 root 2>/dev/null || true")

    def close_gate(self) -> None:
        self.stage.source("touch /run/tempoftp-gate")

    def open_gate(self) -> None:
        self.stage.source("rm -f /run/tempoftp-gate")

    def wait_on_ftp(self, condition: str, *, seconds: int = 60) -> None:
        """Wait on the FTP host itself until a shell condition holds."""
        self.stage.ftp(f"timeout {seconds} bash -c {shell_quote(f'until {condition}; do sleep 0.05; done')}")

    # -- looks --------------------------------------------------------------------------------------------------

    def read_sent(self) -> int:
        """Return the bytes that the source host has sent so far."""
        return int(self.stage.source("cat /sys/class/net/host0/statistics/tx_bytes"))

    def read_copiers(self, share_id: str) -> tuple[int, int]:
        """Return how many copiers and copying rsyncs of a share were seen at the same time, at most."""
        seen = self.stage.ftp(f"cat /var/tmp/copiers/{share_id} 2>/dev/null || echo 0 0")
        copiers, rsyncs = seen.split()
        return int(copiers), int(rsyncs)

    def check_clean(self, subject: Subject) -> None:
        """Check that nothing of a deleted share is left: rows, homes, state directory, units, processes, runs."""
        user = subject.access.get("usuario", "")
        left = self.stage.query(f"SELECT User FROM users WHERE User IN ('{user}', 'ftp_{subject.id}_faults')")
        left += self.stage.ftp(
            f"find /data \\( -path '*/{subject.id}' -o -path '*/{subject.id}[./]*' -o -name 'ftp_{subject.id}_*' \\) "
            f"-not -path '*/tombstones/*' -print 2>/dev/null; "
            f"systemctl list-units --all --plain --no-legend 'tempoftp-*-{subject.id}.service'; "
            f"pgrep -af '/{subject.id}/|copy {subject.id}$' | grep -v pgrep || true"
        )
        assert left == "", f"left of {subject.id}:\n{left}"
        self._check_service(subject)

    def _check_service(self, subject: Subject) -> None:
        with closing(sqlite3.connect(f"file:{self.database_file}?mode=ro", uri=True, timeout=20)) as database:
            rows = database.execute(
                "SELECT state, lease_run_id, due_at FROM shares WHERE id = ?", (subject.id,)
            ).fetchall()
            accounts = database.execute(
                "SELECT lease_run_id, token, exists_since FROM accounts WHERE email = ?", (subject.email,)
            ).fetchall()
        assert rows in ([("eliminado", None, None)], [("expirado", None, None)]), rows
        assert all(lease is None and token is None for lease, token, _ in accounts), (
            "its password is forgotten"
        )

    def check_audit(self) -> None:
        """Check that the operator's audit finds nothing: rows, hosts, accounts, folders, units, sessions."""
        control = self.stage.control
        environment = {"PATH": "/usr/bin:/bin", "TEMPOFTP_URL": control.url, "TEMPOFTP_TOKEN": control.token}
        done = subprocess.run(
            [control.command, "audit", "--strict"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"

    def read_service_time(self) -> float:
        """Return the time by the API's clock, in seconds since the epoch."""
        said = self.api.http.get("/health").headers["Date"]
        return parsedate_to_datetime(said).timestamp()

    def wait_clocks(self, *, apart: bool) -> None:
        """Wait until `GET /health` warns that the service's clock is ahead of the FTP host's, or warns no more."""
        told = "ahead of the clock of this FTP host"
        self.api.wait_for_health(
            lambda health: apart == any(told in text for text in health["advertencias"]), seconds=180
        )

    def check_neighbour(self) -> None:
        """Check that the share which belongs to no cell is unchanged."""
        assert self.neighbour is not None
        assert self.neighbour.look()["status"] == "listo"
        self.neighbour.check_contents()

    def wait_told(self, subject: Subject, error_class: str, seconds: float = 120) -> dict[str, Any]:
        """Wait until the share has this error, with the output of the tools behind it."""
        told = self.api.wait_for(subject.id, lambda a: a.get("error") == error_class, seconds=seconds)
        assert "Detalle:" in told["mensaje"], told
        return told

    def wait_api_away(self, seconds: float = 10) -> None:
        """Wait until no process listens at the API's address, because a killed process ends a moment later."""
        deadline = time.monotonic() + seconds
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.stage.control.port)):
                    return
            assert time.monotonic() < deadline, "somebody still answers"
            time.sleep(0.02)

    @contextmanager
    def lock_database(self) -> Any:
        """Hold the write lock of the service's database, as another process would."""
        with closing(sqlite3.connect(self.database_file, timeout=30, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            yield
            database.execute("ROLLBACK")


def shell_quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


__all__ = ["HELD_BYTES", "ON_ITS_WAY", "PROJECT", "Ground", "Subject", "shell_quote"]
