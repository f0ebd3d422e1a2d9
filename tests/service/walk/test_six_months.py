"""Six months of use in about two minutes: five thousand shares, blocks, extensions, new passwords, deletions, outages
and lost outcomes, by a clock that jumps. Nothing outlives its end, nothing is taken away before it.

Real: the database, claims, leases, outcomes, sweeps. Simulated: the FTP host, in memory, and the passing of time.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import time_machine
from sqlalchemy import select

from tempoftp.db.engine import Database
from tempoftp.db.models import Account, Share
from tempoftp.errors import ShareError
from tempoftp.refusals import Refused
from tempoftp.settings import SIMULATED_FTP_HOST, Settings
from tempoftp.shares.changes import (
    request_block,
    request_deletion,
    request_lifetime,
    request_retry,
    request_unblock,
)
from tempoftp.shares.create import create_share
from tempoftp.shares.credentials import request_rotation
from tempoftp.shares.desired_state import list_pending
from tempoftp.shares.expiry import sweep_expired
from tempoftp.shares.results import Outcome
from tempoftp.shares.schemas import ShareRequest
from tempoftp.states import DELIVERED, ENDING, TERMINAL, State
from tempoftp.worker.provisioner import RunFailed
from tempoftp.worker.request import RunRequest
from tempoftp.worker.run_host import HostRunner
from tempoftp.worker.simulated.host import DAY_SECONDS, World, expire_shares, make_world
from tempoftp.worker.simulated.provisioner import SimulatedProvisioner

HOST = SIMULATED_FTP_HOST
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
STEP_HOURS = 12
ROUNDS = 2
REQUESTERS = 40
WHO = {"author": "six months", "request_id": "r"}
# What there is to be copied, by how often it is asked for; the source of one can be read only after some hours.
PATHS = {"tarda-0": 80, "tarda-9000": 10, "falla-source_denied": 4, "falla-no_space-40000": 6}


class HostInMemory(SimulatedProvisioner):
    """A simulated host that is out of reach now and then, and whose outcome is sometimes lost after it did its work."""

    def __init__(self, state_dir: Path, chance: random.Random) -> None:
        super().__init__(state_dir, run_seconds=0)
        self.world: World = make_world()
        self.is_away = False
        self._chance = chance

    def run(self, request: RunRequest, should_stop: Callable[[], bool]) -> Outcome:
        if self.is_away:
            raise RunFailed(ShareError.of("ftp_host_unreachable", "an outage"))
        # Downloads have tests of their own.
        outcome = super().run(request.model_copy(update={"transfers": None}), should_stop)
        if self._chance.random() < 0.05:
            raise RunFailed(ShareError.of("run_timeout", "its outcome was lost"))
        return outcome

    @contextmanager
    def open_world(self, ftp_host: str) -> Iterator[World]:
        yield self.world


class SixMonths:
    """The service, its host, the clock, and what everybody was promised."""

    def __init__(self, settings: Settings, database: Database, clock: Any, seed: int) -> None:
        self.settings, self.database, self.clock = settings, database, clock
        self.chance = random.Random(seed)
        self.host = HostInMemory(settings.state_dir, self.chance)
        self.runner = HostRunner(settings, database, self.host)
        self.asked = 0
        self.deleted: set[str] = set()
        self.least_days: dict[str, int] = {}
        self.promised: dict[str, float] = {}
        self.live: dict[str, Any] = {}
        self.done: Counter[str] = Counter()

    def step(self, to_ask: int) -> None:
        """Let half a day pass in which people ask and change their minds, the host's timer runs and workers work."""
        with self.database.write() as session:
            for _ in range(to_ask):
                self._ask(session)
            for share in self._choose_some(session, to_ask // 2):
                self._change_mind(session, share)
        self.host.is_away = self.chance.random() < 0.05
        self.work()
        self.clock.shift(STEP_HOURS * 3600 - ROUNDS * 35)
        expire_shares(self.host.world, time.time())
        self.check()

    def work(self) -> None:
        """Rounds of a worker, as far apart as a retry, and what sweeps between them."""
        for _ in range(ROUNDS):
            self.clock.shift(35)
            with self.database.write() as session:
                sweep_expired(session, self.settings)
            self.runner.run_host(HOST)

    def _ask(self, session: Any) -> None:
        self.asked += 1
        share_id = f"s{self.asked}"
        (path,) = self.chance.choices(list(PATHS), list(PATHS.values()))
        days = self.chance.choice([1, 2, 3, 5, 10, 10, 10, 30, 90])
        request = ShareRequest(
            usuario=f"u{self.chance.randrange(REQUESTERS)}@dominio",
            id=share_id,
            ruta=f"source1:/srv/datos/{share_id}/{path}",
            vigencia=days,
        )
        create_share(session, self.settings, request, "six months", "r")
        self.least_days[share_id] = days

    def _choose_some(self, session: Any, count: int) -> list[Share]:
        live = session.scalars(select(Share.id).where(Share.state.not_in(TERMINAL))).all()
        return [
            session.get_one(Share, name) for name in self.chance.sample(list(live), min(count, len(live)))
        ]

    def _change_mind(self, session: Any, share: Share) -> None:
        verb = self.chance.choice(
            [self._block, self._unblock, self._extend, self._rotate, self._retry, self._delete]
        )
        try:
            verb(session, share.id)
        except Refused:
            self.done["refused"] += 1
        else:
            self.done[verb.__name__] += 1

    def _block(self, session: Any, share_id: str) -> None:
        whole = self.chance.random() < 0.1
        request_block(session, share_id, whole_account=whole, reason="azar", **WHO)

    def _unblock(self, session: Any, share_id: str) -> None:
        account = session.get_one(Account, session.get_one(Share, share_id).ftpuser)
        request_unblock(session, share_id, whole_account=account.blocked, **WHO)

    def _extend(self, session: Any, share_id: str) -> None:
        days = self.chance.choice([1, 5, 20, 40, 90])
        request_lifetime(session, self.settings, share_id, days, **WHO)
        self.least_days[share_id] = min(days, self.least_days[share_id])
        self.promised.pop(share_id, None)

    def _rotate(self, session: Any, share_id: str) -> None:
        request_rotation(session, self.settings, share_id, **WHO)

    def _retry(self, session: Any, share_id: str) -> None:
        request_retry(session, self.settings, share_id, **WHO)

    def _delete(self, session: Any, share_id: str) -> None:
        if self.chance.random() < 0.3:  # most shares are to live their days
            request_deletion(session, share_id, **WHO)
            self.deleted.add(share_id)

    def check(self) -> None:
        """Nothing is here beyond its end, and nothing went before it."""
        now = time.time()
        shares = self.host.world["shares"]
        for share_id in set(self.live) - set(shares) - self.deleted:
            gone = self.live[share_id]
            assert gone["ready_at"] is not None, f"{share_id} was never ready and is gone"
            assert now >= gone["ready_at"] + self.least_days[share_id] * DAY_SECONDS, share_id
            assert now >= self.promised.get(share_id, 0) - 1, f"{share_id} went before its end"
        for share_id, share in shares.items():
            assert share["expires"] is None or share["expires"] > now, f"{share_id} outlives its end"
        # Only what the host fixes once is looked at later: the times.
        self.live = {share_id: {"ready_at": share["ready_at"]} for share_id, share in shares.items()}
        with self.database.read() as session:
            query = select(Share, Account).join(Account, Account.name == Share.ftpuser)
            for share, account in session.execute(query.where(Share.state.in_(DELIVERED))):
                if share.expires is not None and not list_pending(share, account):
                    self.promised[share.id] = share.expires.timestamp()

    def grow_old(self) -> None:
        """Ask for nothing more until every time is up."""
        self.host.is_away = False
        for _ in range(2):
            self.clock.shift(91 * DAY_SECONDS)
            expire_shares(self.host.world, time.time())
            for _ in range(200):
                self.work()
                with self.database.read() as session:
                    waiting = session.scalar(select(Share.id).where(Share.due_at.is_not(None)).limit(1))
                if waiting is None:
                    break
            self.check()


def live_through(settings: Settings, database: Database, *, days: int, shares: int, seed: int) -> None:
    steps = days * 24 // STEP_HOURS
    with time_machine.travel(BEGINNING, tick=False) as clock:
        life = SixMonths(settings, database, clock, seed)
        for number in range(steps):
            life.step(shares * (number + 1) // steps - shares * number // steps)
        life.grow_old()
        life.runner.close()
        with database.read() as session:
            states = Counter(session.scalars(select(Share.state)))
    assert sum(states.values()) == shares
    assert set(states) <= TERMINAL | {State.ERROR}
    assert not set(states) & (ENDING | DELIVERED)
    assert states[State.EXPIRADO] > shares // 2
    failed = {share_id for share_id, share in life.host.world["shares"].items() if share["ready_at"] is None}
    assert set(life.host.world["shares"]) == failed, "only what never was ready may be left, for a retry"
    owners = {share["ftpuser"] for share in life.host.world["shares"].values()}
    assert set(life.host.world["users"]) <= owners, "an account without a share"
    assert (
        min(life.done[verb.__name__] for verb in (life._block, life._extend, life._rotate, life._delete)) > 0
    )


@pytest.fixture
def patient(settings: Settings) -> Settings:
    """A run does not wait for copies: time passes in jumps only."""
    return settings.model_copy(update={"run_wait_seconds": 0, "batch_size": 200})


def test_three_weeks(patient: Settings, database: Database) -> None:
    live_through(patient, database, days=21, shares=150, seed=1)


@pytest.mark.processes  # two minutes of a core
@pytest.mark.timeout(1800)
def test_six_months(patient: Settings, database: Database) -> None:
    live_through(patient, database, days=182, shares=5000, seed=3)
