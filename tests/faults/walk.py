"""A random walk over the API of a real service with real hosts: operations of people, kills between them, and what must
be true when everything has settled.

All random choices come from one seed, which a failure prints: `TEMPOFTP_WALK_SEED=… make faults`.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.faults.ground import Ground, Subject
from tests.support.ftps import log_in, read_tree

PEOPLE = [f"persona_{number}@faults.example" for number in range(4)]
SETTLED = {"listo", "error", "bloqueado", "expirado"}
# Seconds between two operations, so that some meet a share during its copy and others a delivered one.
PAUSES = (0.0, 0.2, 1.0, 3.0)
KILLS = 0.5
"""The probability of a kill after an operation."""
ON_FTP_HOST = {
    "copier": "pkill -KILL -f '/copy [^ ]+$'",
    "rsync": "pkill -KILL -x rsync",
    "purge": "pkill -KILL -f '/purge [^ ]+$'; pkill -KILL -x rm",
    "MariaDB": "pkill -KILL -x mariadbd; systemctl restart mariadb",
    "pure-ftpd's sessions": "pkill -KILL -f '^pure-ftpd \\('",
    "sweep": "systemctl kill --signal=KILL tempoftp-expire.service",
}


@dataclass
class Person:
    """The requests of one person, and what the person may therefore expect."""

    email: str
    wanted: dict[str, str] = field(default_factory=dict)
    """Source of each share that nobody has ended."""
    aged: set[str] = field(default_factory=set)
    """Shares whose days were made to be over."""


class Walk:
    """One walk: `run` takes its steps, `settle` waits, `check` checks everything."""

    def __init__(self, ground: Ground, seed: int) -> None:
        self.ground = ground
        self.api = ground.api
        self.chance = random.Random(seed)
        self.people = {email: Person(email) for email in PEOPLE}
        self.sources = [
            ground.stage.make_tree(f"paseo_{n}", files=4, kib=kib) for n, kib in enumerate((4, 64, 3000))
        ]
        self.digests = {source: ground.stage.digest_source(source) for source in self.sources}
        self.asked = 0
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.killed: Counter[str] = Counter()
        self.told: list[str] = []

    # -- steps ----------------------------------------------------------------------------------------------------

    def run(self, operations: int) -> None:
        """Do this number of operations that the API accepts, with a kill now and then."""
        verbs: list[tuple[int, Callable[[], bool | None]]] = [
            (16, self._ask),
            (5, self._block),
            (5, self._unblock),
            (4, self._block_account),
            (4, self._unblock_account),
            (6, self._change_lifetime),
            (5, self._rotate),
            (4, self._retry),
            (8, self._delete),
            (2, self._delete_account),
            (4, self._expire),
            (2, self._audit),
        ]
        weights, choices = [weight for weight, _ in verbs], [verb for _, verb in verbs]
        while self.done.total() < operations:
            (verb,) = self.chance.choices(choices, weights)
            name = verb.__name__.strip("_")
            accepted = verb()
            if accepted is None:
                continue
            (self.done if accepted else self.refused)[name] += 1
            if self.chance.random() < KILLS:
                self._kill()
            time.sleep(self.chance.choice(PAUSES))

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> bool:
        """Return whether the API accepted it; a refusal that no other step explains is a failure."""
        answer = self.api.http.request(method, path, json=body)
        self.told.append(f"{method} {path} {body or ''} -> {answer.status_code}")
        assert answer.status_code in (200, 202, 404, 409), f"{self.told[-1]}: {answer.text}"
        return answer.status_code in (200, 202)

    def _choose_share(self) -> tuple[Person, str] | None:
        found = [(person, name) for person in self.people.values() for name in person.wanted]
        return self.chance.choice(found) if found else None

    def _ask(self) -> bool:
        person = self.people[self.chance.choice(PEOPLE)]
        source = self.chance.choice(self.sources)
        self.asked += 1
        name = f"paseo_{self.asked}"
        answer = self.api.post(person.email, name, f"source1:{source}", 3)
        self.told.append(f"ask {name} {person.email} -> {answer.status_code}")
        assert answer.status_code == 202, answer.text
        person.wanted[name] = source
        return True

    def _tell(self, verb: str, body: dict[str, Any], method: str = "POST") -> bool | None:
        chosen = self._choose_share()
        return None if chosen is None else self._send(method, f"/tmpftp/{chosen[1]}{verb}", body)

    def _block(self) -> bool | None:
        return self._tell("/bloquear", {"razon": "paseo"})

    def _unblock(self) -> bool | None:
        return self._tell("/desbloquear", {})

    def _block_account(self) -> bool | None:
        return self._tell("/bloquear", {"razon": "paseo", "alcance": "cuenta"})

    def _unblock_account(self) -> bool | None:
        return self._tell("/desbloquear", {"alcance": "cuenta"})

    def _change_lifetime(self) -> bool | None:
        return self._tell("", {"vigencia": self.chance.randrange(1, 20)}, "PATCH")

    def _rotate(self) -> bool | None:
        return self._tell("/password", {})

    def _retry(self) -> bool | None:
        return self._tell("/reintentar", {})

    def _delete(self) -> bool | None:
        chosen = self._choose_share()
        if chosen is None:
            return None
        person, name = chosen
        accepted = self._send("DELETE", f"/tmpftp/{name}")
        person.wanted.pop(name)
        return accepted

    def _delete_account(self) -> bool | None:
        chosen = self._choose_share()
        if chosen is None:
            return None
        user = self._read_rows("SELECT ftpuser FROM shares WHERE id = ?", chosen[1])[0][0]
        accepted = self._send("DELETE", f"/tmpftp/user/{user}")
        chosen[0].wanted.clear()
        return accepted

    def _expire(self) -> bool | None:
        """Make a delivered share old while its FTP host is paused."""
        found = [
            (person, name)
            for person in self.people.values()
            for name in person.wanted
            if self.api.get(name).get("status") == "listo" and not self.api.get(name)["pendiente"]
        ]
        if not found:
            return None
        person, name = self.chance.choice(found)
        self.ground.pause_runs()
        try:
            deadline = time.monotonic() + 60
            while self._read_rows("SELECT 1 FROM shares WHERE lease_run_id IS NOT NULL AND id = ?", name):
                assert time.monotonic() < deadline, "a run holds it for ever"
                time.sleep(0.1)
            share = self.api.get(name)
            if share.get("status") != "listo" or share["pendiente"]:
                return None
            self.ground.age(Subject(self.ground, name, person.wanted[name], {}, access=share))
        finally:
            self.ground.resume_runs()
        self.told.append(f"expire {name}")
        person.aged.add(name)
        person.wanted.pop(name)
        return True

    def _audit(self) -> bool:
        return self._send("POST", "/tmpftp/auditoria", {"reparar": True})

    def _read_rows(self, query: str, *values: str) -> list[Any]:
        with closing(
            sqlite3.connect(f"file:{self.ground.database_file}?mode=ro", uri=True, timeout=20)
        ) as database:
            return database.execute(query, values).fetchall()

    # -- kills ----------------------------------------------------------------------------------------------------

    def _kill(self) -> None:
        what = self.chance.choice(["API", "worker", "ansible-playbook", *ON_FTP_HOST, "power cut"])
        if what == "power cut" and self.chance.random() < 0.6:  # a boot takes long
            return
        self.killed[what] += 1
        self.told.append(f"kill {what}")
        control, stage = self.ground.stage.control, self.ground.stage
        if what in ("API", "worker"):
            if what == "API":
                control.kill("serve", children=True)
                self.ground.wait_api_away()
            else:
                control.kill("worker")
            control.start()
        elif what == "ansible-playbook":
            for found in stage.find_playbooks():
                try:
                    os.kill(found, signal.SIGKILL)
                except ProcessLookupError:
                    continue
        elif what == "power cut":
            stage.lab("crash", stage.ftp_host)
            stage.lab("start", stage.ftp_host)
            self.ground.start_watch()
        else:
            stage.ftp(f"{ON_FTP_HOST[what]}; true")

    # -- the end --------------------------------------------------------------------------------------------------

    def settle(self, seconds: float = 400) -> None:
        """Wait until no share is under way."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                waiting = [
                    (share["id"], share["estado"])
                    for share in self.api.http.get("/tmpftp?limite=1000").json()["solicitudes"]
                    if share["estado"] not in SETTLED or self.api.get(share["id"])["pendiente"]
                ]
            except (httpx.TransportError, KeyError):
                waiting = [("?", "?")]
            if not waiting:
                return
            assert time.monotonic() < deadline, f"never settled: {waiting}"
            time.sleep(0.5)

    def check(self) -> None:
        """Check that everybody has what was promised, and nothing else."""
        for person in self.people.values():
            token = None
            for name, source in person.wanted.items():
                share = self.api.get(name)
                assert share["status"] in ("listo", "bloqueado"), share
                if share["status"] != "listo":
                    continue
                if token is None:
                    assert self._send("POST", f"/tmpftp/{name}/password", {})
                    share = self.api.wait_for(name, lambda a: not a["pendiente"] and a["status"] == "listo")
                    token = share["password"]
                with closing(
                    log_in(self.ground.stage.ftp_address, share["usuario"], self.ground.stage.decrypt(token))
                ) as client:
                    assert read_tree(client, f"/{name}") == self.digests[source], name
            for name in person.aged:
                assert self.api.http.get(f"/tmpftp/{name}").json()["status"] == "expirado"
        self.check_hosts()
        for number in range(self.asked):
            copiers, rsyncs = self.ground.read_copiers(f"paseo_{number + 1}")
            assert copiers <= 1 and rsyncs <= 1, (
                f"paseo_{number + 1}: {copiers} copiers, {rsyncs} rsyncs at once"
            )

    def check_hosts(self) -> None:
        """Check that the FTP host has exactly the visible and blocked shares, and no other folder or account."""
        stage = self.ground.stage
        wanted = {name for person in self.people.values() for name in person.wanted}
        lines = stage.ftp(
            "find /data/ftp_* /data/.tempoftp/held /data/.tempoftp/staging /data/.tempoftp/trash "
            "-mindepth 1 -maxdepth 1 -printf '%f\\n' 2>/dev/null || true"
        )
        found = {line for line in lines.splitlines() if line.startswith("paseo_")}
        assert found == wanted
        users = set(stage.query("SELECT User FROM users WHERE User LIKE 'ftp_persona_%'").split())
        owners = {
            row[0]
            for name in wanted
            for row in self._read_rows("SELECT ftpuser FROM shares WHERE id = ?", name)
        }
        blocked_only = owners - users
        for user in blocked_only:
            states = self._read_rows(
                "SELECT DISTINCT state FROM shares WHERE ftpuser = ? AND id IN "
                f"({','.join('?' * len(wanted))})",
                user,
                *wanted,
            )
            assert states == [("bloqueado",)], f"{user} has no account, and shares in {states}"
        assert users <= owners, f"accounts without a share: {users - owners}"
