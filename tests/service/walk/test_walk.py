"""A random walk over the API: any verbs in any order, workers that hang or die at any point and come late, a source and
a host that fail, a host that ends by itself what has lived its days. Whatever the way, nothing illegal is ever seen.

Real: the application, the database, claims, leases, outcomes. Simulated: the FTP host and the passing of time.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import time_machine
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import select
from sqlalchemy.orm import Session

from tempoftp.app import create_app
from tempoftp.db.engine import Database
from tempoftp.db.models import Account, HistoryEntry, Share
from tempoftp.db.schema import upgrade_database
from tempoftp.errors import ShareError
from tempoftp.settings import SIMULATED_FTP_HOST, load_settings
from tempoftp.shares.claims import find_next_due, find_stale_hosts
from tempoftp.shares.desired_state import list_pending
from tempoftp.shares.expiry import sweep_expired
from tempoftp.shares.results import Outcome
from tempoftp.states import DELIVERED, ENDING, TERMINAL, TRANSITIONS, State
from tempoftp.worker.provisioner import RunFailed
from tempoftp.worker.request import RunRequest
from tempoftp.worker.run_host import HostRunner
from tempoftp.worker.simulated.host import DAY_SECONDS, World, expire_shares
from tempoftp.worker.simulated.provisioner import SimulatedProvisioner

pytestmark = pytest.mark.processes

HOST = SIMULATED_FTP_HOST
BEGINNING = datetime(2026, 11, 23, 12, tzinfo=UTC)
IDS = ["a", "b", "c", "d"]
EMAILS = ["uno@dominio", "dos@dominio"]
PATHS = ["tarda-0", "tarda-30", "falla-source_denied-50", "falla-no_space-50"]
SOURCES = """\
sources:
  source1:
    roots:
      - {name: datos, path: /srv/datos}
"""
LEASE_SECONDS = 30

ids = st.sampled_from(IDS)
scopes = st.sampled_from(["solicitud", "cuenta"])
lifetimes = st.sampled_from([1, 2, 3, 9])


class Dead(BaseException):
    """What ends a thread that stands for a killed process."""


class MortalDatabase:
    """The database as a worker sees it that can be killed: from then on it writes nothing, not even its leases back."""

    def __init__(self, database: Database) -> None:
        self.read = database.read
        self.is_dead = False
        self._database = database

    @contextmanager
    def write(self) -> Iterator[Session]:
        if self.is_dead:
            raise Dead
        with self._database.write() as session:
            yield session

    def transact(self, work: Callable[[Session], Any]) -> Any:
        with self.write() as session:
            return work(session)


class Hung:
    """A run that hangs, before or after it did its work on the host, until somebody lets it go on or kills it."""

    def __init__(self, walk: Walk, *, after: bool) -> None:
        self.after = after
        self._reached = threading.Event()
        self._may_go_on = threading.Event()
        self._database = MortalDatabase(walk.database)
        self._runner = HostRunner(walk.settings, self._database, walk.host)  # type: ignore[arg-type]
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> bool:
        """Begin; returns whether it came as far as a run."""
        self._thread.start()
        while self._thread.is_alive() and not self._reached.wait(0.005):
            pass
        return self._thread.is_alive()

    def _work(self) -> None:
        with suppress(Dead):
            self._runner.run_host(HOST)

    def hold(self) -> None:
        self._reached.set()
        self._may_go_on.wait(60)
        if self._database.is_dead:
            raise Dead

    def let_go(self, *, dies: bool) -> None:
        self._database.is_dead = dies
        self._may_go_on.set()
        self._thread.join(30)
        assert not self._thread.is_alive()
        self.close()

    def close(self) -> None:
        self._runner.close()


class FailingHost(SimulatedProvisioner):
    """A simulated host that can be out of reach, and whose next run can hang."""

    def __init__(self, state_dir: Path) -> None:
        super().__init__(state_dir, run_seconds=0)
        self.is_away = False
        self.hangs: Hung | None = None

    def run(self, request: RunRequest, should_stop: Callable[[], bool]) -> Outcome:
        hung, self.hangs = self.hangs, None
        if hung is not None and not hung.after:
            hung.hold()
        if self.is_away:
            raise RunFailed(ShareError.of("ftp_host_unreachable", "the walk took it away"))
        outcome = super().run(request, should_stop)
        if hung is not None and hung.after:
            hung.hold()
        return outcome


class Walk(RuleBasedStateMachine):
    """The service, its host and the clock; the rules are what may happen."""

    template: Path
    """A state folder with a migrated database."""

    @initialize()
    def begin(self) -> None:
        self.clock = time_machine.travel(BEGINNING, tick=False)
        self.now = self.clock.start()
        self.folder = Path(tempfile.mkdtemp(dir=self.template.parent))
        shutil.copytree(self.template, self.folder / "state")
        (self.folder / "sources.yml").write_text(SOURCES)
        self.settings = load_settings(
            simulacro=True,
            encryption_key=Fernet.generate_key().decode(),
            secret_key=Fernet.generate_key().decode(),
            state_dir=self.folder / "state",
            sources_file=self.folder / "sources.yml",
            deletion_wait_seconds=0,
            run_wait_seconds=0,
            lease_seconds=LEASE_SECONDS,
            auth="none",
            rate_writes="100000/minute",
        )
        self.app = create_app(self.settings)
        self.client = self.app.test_client()
        self.database = self.app.extensions["tempoftp"].database
        self.host = FailingHost(self.settings.state_dir)
        self.runner = HostRunner(self.settings, self.database, self.host)
        self.hung: list[Hung] = []
        self.deleted: set[str] = set()
        self.least_days: dict[str, int] = {}
        self.promised: dict[str, float] = {}
        self.live: dict[str, Any] = {}
        self.tokens: dict[str, str] = {}
        self.runner.run_host(HOST)  # so that what the host says of itself is known
        for share_id, email in (("a", EMAILS[0]), ("b", EMAILS[0]), ("c", EMAILS[1])):
            self.ask(share_id, email, "tarda-0", 3)
        self.work_for_a_while()

    # ---- what somebody asks for ----

    @rule(share_id=ids, email=st.sampled_from(EMAILS), path=st.sampled_from(PATHS), days=lifetimes)
    def ask(self, share_id: str, email: str, path: str, days: int) -> None:
        ruta = f"source1:/srv/datos/{share_id}/{path}"
        before = self.read_state(share_id)
        answer = self.client.post(
            "/tmpftp", json={"usuario": email, "id": share_id, "ruta": ruta, "vigencia": days}
        )
        assert answer.status_code in {200, 202, 409}, answer.text
        if before is None or before in TERMINAL:
            assert answer.status_code == 202
            self.deleted.discard(share_id)
            self.promised.pop(share_id, None)
            self.least_days[share_id] = days

    @rule(share_id=ids)
    def delete(self, share_id: str) -> None:
        if self.call("DELETE", share_id, "") != 404:
            self.deleted.add(share_id)

    @rule(email=st.sampled_from(EMAILS))
    def delete_account(self, email: str) -> None:
        name = f"ftp_{email.split('@')[0]}_dominio"
        answer = self.client.delete(f"/tmpftp/user/{name}")
        assert answer.status_code in {200, 202, 404}, answer.text
        if answer.status_code != 404:
            self.deleted.update(answer.json["solicitudes"])

    @rule(share_id=ids, scope=scopes)
    def block(self, share_id: str, scope: str) -> None:
        self.call("POST", share_id, "/bloquear", {"alcance": scope})

    @rule(share_id=ids, scope=scopes)
    def unblock(self, share_id: str, scope: str) -> None:
        self.call("POST", share_id, "/desbloquear", {"alcance": scope})

    @rule(share_id=ids, days=lifetimes)
    def change_lifetime(self, share_id: str, days: int) -> None:
        if self.call("PATCH", share_id, "", {"vigencia": days}) in {200, 202}:
            self.least_days[share_id] = min(days, self.least_days[share_id])
            self.promised.pop(share_id, None)  # until it is confirmed

    @rule(share_id=ids)
    def retry(self, share_id: str) -> None:
        self.call("POST", share_id, "/reintentar", {})

    @rule(share_id=ids)
    def new_password(self, share_id: str) -> None:
        answer = self.client.post(f"/tmpftp/{share_id}/password", json={})
        assert answer.status_code in {200, 202, 404, 409}, answer.text
        if answer.status_code < 300:
            assert share_id in answer.json["abre"]
            self.tokens[answer.json["usuario"]] = answer.json["password"]

    @rule()
    def sweep_by_hand(self) -> None:
        assert self.client.delete("/tmpftp/expired").status_code == 200

    @rule(share_id=ids)
    def pause(self, share_id: str) -> None:
        """While the hosts are paused nothing moves, and what is asked for waits."""
        assert self.client.post("/pausar", json={}).status_code == 200
        self.delete(share_id)
        before = [self.read_state(name) for name in IDS]
        self.now.shift(1)
        assert self.runner.run_host(HOST) == 0
        assert [self.read_state(name) for name in IDS] == before
        assert self.client.post("/reanudar", json={}).status_code == 200

    # ---- what happens by itself ----

    @rule(fails=st.booleans())
    def work(self, fails: bool = False) -> None:
        self.now.shift(1)  # a run waits for what was asked for in this moment
        self.host.is_away = fails
        self.runner.run_host(HOST)
        self.host.is_away = False

    @rule(seconds=st.sampled_from([1, 10, 40]))
    def work_for_a_while(self, seconds: float = 10) -> None:
        for _ in range(4):
            self.now.shift(seconds)
            self.work()

    @rule()
    def sweep(self) -> None:
        with self.database.write() as session:
            sweep_expired(session, self.settings)

    @rule()
    def host_timer(self) -> None:
        with self.host.open_world(HOST) as world:
            expire_shares(world, time.time())
            assert not [share for share in world["shares"].values() if is_over(share)]

    @rule(seconds=st.sampled_from([5, LEASE_SECONDS + 1, 0.7 * DAY_SECONDS, DAY_SECONDS, 2 * DAY_SECONDS]))
    def wait(self, seconds: float) -> None:
        self.now.shift(seconds)

    @precondition(lambda self: len(self.hung) < 3)
    @rule(after=st.booleans())
    def hang(self, after: bool) -> None:
        """A worker hangs in the middle of a run, before or after the host did what it was told."""
        self.now.shift(1)
        hung = self.host.hangs = Hung(self, after=after)
        if hung.start():
            self.hung.append(hung)
        else:  # nothing was due
            hung.close()
        self.host.hangs = None

    @precondition(lambda self: self.hung)
    @rule(dies=st.booleans(), data=st.data())
    def go_on(self, dies: bool, data: st.DataObject) -> None:
        """One that hangs goes on, late as it may be, or dies."""
        self.let_go(data.draw(st.sampled_from(self.hung)), dies=dies)

    # ---- what must hold ----

    @invariant()
    def history_is_a_chain_of_legal_steps(self) -> None:
        with self.database.read() as session:
            chains: dict[str, list[HistoryEntry]] = defaultdict(list)
            for entry in session.scalars(select(HistoryEntry).order_by(HistoryEntry.number)):
                chains[entry.share_id].append(entry)
            for share in session.scalars(select(Share)):
                state, generation = None, 0
                for entry in chains[share.id]:
                    if entry.from_state is None and entry.to_state == State.RECIBIDO and state in TERMINAL:
                        state = None  # another person's share begins under an id that had ended
                    assert entry.from_state == state, (share.id, entry.number)
                    assert entry.generation >= generation
                    assert entry.author
                    assert entry.reason
                    if state is not None and entry.to_state != state:
                        assert entry.to_state in TRANSITIONS[State(state)]
                    state, generation = entry.to_state, entry.generation
                assert (share.state, share.generation) == (state, generation)

    @invariant()
    def nothing_is_taken_away_before_its_time(self) -> None:
        with self.host.open_world(HOST) as world:
            for share_id in set(self.live) - set(world["shares"]) - self.deleted:
                gone = self.live[share_id]
                assert gone["ready_at"] is not None, f"{share_id} was never ready and is gone"
                least = gone["ready_at"] + self.least_days[share_id] * DAY_SECONDS
                assert time.time() >= least, f"{share_id} went before the least that was asked for it"
                # Its times go over the wire in whole seconds.
                assert time.time() >= self.promised.get(share_id, 0) - 1, f"{share_id} went before its end"
            self.live = {share_id: dict(share) for share_id, share in world["shares"].items()}

    @invariant()
    def what_is_confirmed_is_so(self) -> None:
        with self.database.read() as session, self.host.open_world(HOST) as world:
            for share in session.scalars(select(Share).where(Share.state.in_(DELIVERED))):
                account = session.get_one(Account, share.ftpuser)
                if list_pending(share, account) or share.expires is None:
                    continue
                self.promised[share.id] = share.expires.timestamp()
                if share.expires.timestamp() > time.time():
                    self.check_reachable(world, share)

    def check_reachable(self, world: World, share: Share) -> None:
        there, user = world["shares"].get(share.id), world["users"].get(share.ftpuser)
        assert there is not None, f"{share.id} is {share.state} and not on its host"
        assert user is not None
        assert there["generation"] == share.generation
        assert there["blocked"] == (share.state == State.BLOQUEADO)
        if share.state == State.LISTO:
            assert user["status"] == "present"

    def teardown(self) -> None:
        if not hasattr(self, "clock"):
            return
        try:
            self.settle()
            self.check_the_end()
            self.grow_old()
        finally:
            for hung in list(self.hung):
                self.let_go(hung, dies=True)
            self.runner.close()
            self.database.close()
            self.clock.stop()
            shutil.rmtree(self.folder)

    def settle(self) -> None:
        """Let everything that hangs come back, and work until nothing is due."""
        for hung in list(self.hung):
            self.let_go(hung, dies=False)
        for _ in range(300):
            with self.database.read() as session:
                is_stale = HOST in find_stale_hosts(session, self.settings)
            if is_stale:  # a worker asks the host for its time before anything ends
                self.work()
            self.sweep()
            with self.database.read() as session:
                seconds = find_next_due(session, HOST)
            if seconds is None:
                return
            self.now.shift(seconds + 1)
            self.work()
            self.nothing_is_taken_away_before_its_time()
        raise AssertionError("it never settles")

    def check_the_end(self) -> None:
        self.history_is_a_chain_of_legal_steps()
        self.what_is_confirmed_is_so()
        with self.database.read() as session, self.host.open_world(HOST) as world:
            expire_shares(world, time.time())
            rows = {share.id: share for share in session.scalars(select(Share))}
            for share in rows.values():
                assert share.state in DELIVERED | TERMINAL | {State.ERROR}
                if share.state in DELIVERED:
                    assert list_pending(share, session.get_one(Account, share.ftpuser)) == []
                    assert share.expires is not None
                    assert share.expires.timestamp() > time.time(), f"{share.id} outlives its end"
            kept = {share_id for share_id, share in rows.items() if share.state not in TERMINAL}
            assert set(world["shares"]) <= kept, "something is left on the host that nobody knows of"
            owners = {share["ftpuser"] for share in world["shares"].values()}
            assert set(world["users"]) <= owners, "an account without a share"
            self.check_passwords(world, rows)

    def grow_old(self) -> None:
        """When every time is up nothing is left but what failed."""
        self.now.shift(91 * DAY_SECONDS)
        self.settle()
        self.check_the_end()
        with self.database.read() as session:
            states = set(session.scalars(select(Share.state)))
        assert states <= TERMINAL | {State.ERROR}

    def check_passwords(self, world: World, rows: dict[str, Share]) -> None:
        """The password that a share's answer tells opens its account; so does the last new one."""
        fernet = self.settings.build_fernet()
        for share in rows.values():
            if share.state != State.LISTO:
                continue
            shown = self.client.get(f"/tmpftp/{share.id}").json
            stored = world["users"][share.ftpuser]["password_hash"]
            if shown["password_tipo"] == "hash":
                assert shown["password"] == stored
                continue
            password = fernet.decrypt(shown["password"].encode()).decode()
            assert opens(stored, password), f"{share.id} is told a password that opens nothing"

    # ---- means ----

    def call(self, method: str, share_id: str, rest: str, body: dict[str, Any] | None = None) -> int:
        before = self.read_state(share_id)
        answer = self.client.open(f"/tmpftp/{share_id}{rest}", method=method, json=body)
        assert answer.status_code in {200, 202, 404, 409}, answer.text
        if before is None or before == State.ELIMINADO:
            assert answer.status_code == 404
        if before in ENDING and method != "DELETE":
            assert self.read_state(share_id) == before
        return answer.status_code

    def read_state(self, share_id: str) -> str | None:
        with self.database.read() as session:
            share = session.get(Share, share_id)
            return None if share is None else share.state

    def let_go(self, hung: Hung, *, dies: bool) -> None:
        self.hung.remove(hung)
        hung.let_go(dies=dies)


def is_over(share: dict[str, Any]) -> bool:
    return share["expires"] is not None and share["expires"] <= time.time()


def opens(stored: str, password: str) -> bool:
    """Verify as pure-ftpd does."""
    import argon2
    import bcrypt

    if stored.startswith("$argon2id$"):
        try:
            return argon2.PasswordHasher().verify(stored, password)
        except argon2.exceptions.VerifyMismatchError:
            return False
    return bcrypt.checkpw(password.encode(), stored.encode())


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("walk") / "state"
    upgrade_database(
        load_settings(
            simulacro=True,
            encryption_key=Fernet.generate_key().decode(),
            secret_key=Fernet.generate_key().decode(),
            state_dir=folder,
        )
    )
    return folder


def test_walk(template: Path) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    Walk.template = template
    run_state_machine_as_test(
        Walk,
        settings=settings(
            max_examples=int(os.environ.get("WALK_EXAMPLES", "12")),
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
