"""A database that is older than its FTP host: noticed before anything is done, then corrected from the host."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import argon2
import bcrypt
import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from tempoftp.accounts.map import map_account
from tempoftp.audits.audits import begin_checks, request_audits
from tempoftp.audits.restore import find_path
from tempoftp.audits.results import Finding
from tempoftp.db.backup import backup_database
from tempoftp.db.clock import utc_now
from tempoftp.db.engine import Database, open_database
from tempoftp.db.models import Account, HistoryEntry, HostAudit, Share
from tempoftp.settings import SIMULATED_FTP_HOST, Settings
from tempoftp.shares.changes import request_block, request_deletion, request_lifetime
from tempoftp.shares.create import create_share
from tempoftp.shares.credentials import request_rotation
from tempoftp.shares.expiry import sweep_expired
from tempoftp.shares.schemas import ShareRequest
from tempoftp.states import TRANSITIONS, State
from tempoftp.worker import run_host
from tempoftp.worker.auditor import Auditor
from tempoftp.worker.run_host import HostRunner
from tempoftp.worker.simulated import provisioner as simulated
from tempoftp.worker.simulated.provisioner import SimulatedProvisioner
from tests.support.findings import list_findings

RUNS = 60


class Stage:
    """A service without threads on a simulated host, and ways to back its database up and put it back."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.file = settings.state_dir / "tempoftp.sqlite3"
        self.copy = settings.state_dir / "backup.sqlite3"
        self.provisioner = SimulatedProvisioner(settings.state_dir)
        self.database: Database = open_database(settings)
        self._open()

    def _open(self) -> None:
        self.database = open_database(self.settings)
        self.runner = HostRunner(self.settings, self.database, self.provisioner)
        self.auditor = Auditor(self.settings, self.database, self.provisioner)

    def close(self) -> None:
        self.runner.close()
        self.database.close()

    def backup(self) -> None:
        self.copy.unlink(missing_ok=True)
        backup_database(self.settings, self.copy)

    def restore(self) -> None:
        """Stop, put the backup in place of the database, start: what a worker does when it starts is done."""
        self.close()
        for suffix in ("", "-wal", "-shm"):
            self.file.with_name(self.file.name + suffix).unlink(missing_ok=True)
        shutil.copy(self.copy, self.file)
        self._open()
        with self.database.write() as session:
            begin_checks(session, self.settings)

    def work(self, rounds: int = RUNS) -> None:
        """Make runs until nothing is due."""
        for _round in range(rounds):
            self.auditor.run_due(SIMULATED_FTP_HOST)
            with self.database.write() as session:
                sweep_expired(session, self.settings)
            with self.database.write() as session:
                # No waiting for a copy that is on its way: its next look is due.
                for share in session.scalars(select(Share).where(Share.due_at.is_not(None))):
                    share.due_at = min(share.due_at or utc_now(), utc_now())
            if self.runner.run_host(SIMULATED_FTP_HOST) == 0:
                return

    def ask(self, share_id: str, usuario: str = "alguien@dominio", vigencia: int = 3) -> None:
        request = ShareRequest(
            usuario=usuario, id=share_id, ruta="source1:/srv/datos/tarda-0", vigencia=vigencia
        )
        with self.database.write() as session:
            create_share(session, self.settings, request, "tester", f"request-{share_id}")

    def read(self, share_id: str) -> Share:
        with self.database.read() as session:
            return session.get_one(Share, share_id)

    def state(self, share_id: str) -> tuple[str, int]:
        share = self.read(share_id)
        return share.state, share.generation

    def audit(self, **desired_shares: bool) -> HostAudit:
        with self.database.write() as session:
            request_audits(session, self.settings, author="tester", **desired_shares)
        self.auditor.run_due(SIMULATED_FTP_HOST)
        return self.read_audit()

    def read_audit(self) -> HostAudit:
        with self.database.read() as session:
            return session.get_one(HostAudit, SIMULATED_FTP_HOST)

    def read_world(self) -> dict[str, Any]:
        with self.provisioner.open_world(SIMULATED_FTP_HOST) as world:
            return dict(world)


@pytest.fixture
def stage(settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setattr(simulated, "RUN_SECONDS", 0.0)
    monkeypatch.setattr(run_host, "QUIET_SECONDS", 0.0)
    stage = Stage(settings.model_copy(update={"run_wait_seconds": 0.0}))
    yield stage
    stage.close()


def delete(stage: Stage, share_id: str) -> None:
    with stage.database.write() as session:
        request_deletion(session, share_id, emails=None, author="tester", request_id="r")


def make_ready(stage: Stage, *ids: str) -> None:
    for share_id in ids:
        stage.ask(share_id)
    stage.work()
    assert {stage.read(share_id).state for share_id in ids} == {State.LISTO}


def test_a_host_that_fits_is_free_after_its_check(stage: Stage) -> None:
    make_ready(stage, "p1")
    with stage.database.write() as session:
        begin_checks(session, stage.settings)
    stage.ask("p2")
    assert stage.runner.run_host(SIMULATED_FTP_HOST) == 0, "nothing is done before the host was compared"
    stage.work()
    assert stage.state("p2")[0] == State.LISTO
    assert stage.read_audit().stale_since is None


def test_what_was_deleted_since_the_backup_stays_deleted(stage: Stage) -> None:
    make_ready(stage, "p1", "p2")
    stage.backup()
    delete(stage, "p1")
    stage.work()
    assert stage.state("p1") == (State.ELIMINADO, 2)
    stage.restore()
    assert stage.state("p1") == (State.LISTO, 1)
    stage.work()
    assert stage.state("p1") == (State.LISTO, 1), "held: nothing is done on a database from a backup"
    audit = stage.read_audit()
    assert audit.stale_since is not None
    assert "p1" in (audit.stale_reason or "")
    stage.audit(restore=True)
    assert stage.state("p1") == (State.ELIMINANDO, 2)
    stage.work()
    assert stage.state("p1") == (State.ELIMINADO, 2)
    assert "p1" not in stage.read_world()["shares"]
    assert stage.state("p2") == (State.LISTO, 1)
    with stage.database.read() as session:
        reasons = session.scalars(select(HistoryEntry.reason).where(HistoryEntry.share_id == "p1"))
        assert "restored" in {reason.code for reason in reasons}


def test_what_was_extended_since_the_backup_is_not_swept(stage: Stage) -> None:
    """The old row says that its time is up; the host knows better. Nothing may reach it before that is known."""
    make_ready(stage, "p1")
    stage.backup()
    with stage.database.write() as session:
        request_lifetime(session, stage.settings, "p1", 9, author="tester", request_id="r")
    stage.work()
    expires = stage.read("p1").expires
    assert expires is not None
    stage.restore()
    with stage.database.write() as session:
        share = session.get_one(Share, "p1")
        share.expires = utc_now() - timedelta(hours=1)  # its first end has passed meanwhile
    with stage.database.write() as session:
        assert sweep_expired(session, stage.settings) == []
    stage.work()
    assert "p1" in stage.read_world()["shares"]
    stage.audit(restore=True)
    stage.work()
    restored = stage.read("p1")
    assert (restored.state, restored.generation, restored.lifetime_days) == (State.LISTO, 2, 9)
    assert restored.expires == expires
    assert "p1" in stage.read_world()["shares"]


def test_what_expired_since_the_backup_does_not_reopen(stage: Stage) -> None:
    make_ready(stage, "p1")
    stage.backup()
    with stage.provisioner.open_world(SIMULATED_FTP_HOST) as world:
        world["shares"]["p1"]["expires"] = world["clock"] = utc_now().timestamp() - 1
    stage.restore()
    stage.audit(restore=True)
    stage.work()
    assert stage.state("p1")[0] == State.EXPIRADO
    assert stage.read_world()["shares"] == {}
    assert stage.read_world()["users"] == {}


def test_what_was_blocked_since_the_backup_stays_blocked(stage: Stage) -> None:
    make_ready(stage, "p1", "p2")
    stage.backup()
    with stage.database.write() as session:
        request_block(session, "p1", whole_account=False, reason=None, author="tester", request_id="r")
    stage.work()
    assert stage.state("p1") == (State.BLOQUEADO, 2)
    stage.restore()
    stage.work()
    stage.audit(restore=True)
    stage.work()
    assert stage.state("p1") == (State.BLOQUEADO, 2)
    assert stage.read_world()["shares"]["p1"]["blocked"] is True
    assert stage.state("p2") == (State.LISTO, 1)


def test_shares_that_no_row_knows_become_rows_of_known_accounts(stage: Stage) -> None:
    make_ready(stage, "p1")
    stage.backup()
    stage.ask("p2")
    stage.ask("q1", usuario="otra@dominio")
    stage.work()
    stage.restore()
    stage.work()
    audit = stage.audit(restore=True)
    stage.work()
    share = stage.read("p2")
    assert (share.state, share.email, share.source) == (
        State.LISTO,
        "alguien@dominio",
        "lanotadm@source1:/srv/datos/tarda-0",
    )
    assert share.expires is not None
    with stage.database.read() as session:
        assert session.get(Share, "q1") is None, "whose it is, is never guessed"
    assert "q1" in stage.read_world()["shares"], "and what nobody knows is not taken away"
    open_ones = [finding for finding in list_findings(audit) if not finding.repaired]
    assert {(finding.kind, finding.subject) for finding in open_ones} == {("share_without_row", "q1")}
    assert audit.unknown_accounts == ["ftp_otra_dominio"]


def test_a_lost_account_is_given_back_to_its_owner(stage: Stage) -> None:
    """Only an operator can say whose it is; then the next audit makes rows of its shares."""
    stage.backup()
    make_ready(stage, "p1")
    before = stage.read("p1")
    stage.restore()
    stage.audit(restore=True)
    with stage.database.write() as session:
        map_account(session, "alguien@dominio", "ftp_alguien_dominio", SIMULATED_FTP_HOST)
    stage.audit(restore=True)
    stage.work()
    share = stage.read("p1")
    same = (
        "state",
        "generation",
        "email",
        "source",
        "source_root",
        "ssh_key_file",
        "lifetime_days",
        "expires",
    )
    assert [getattr(share, name) for name in same] == [getattr(before, name) for name in same]
    assert stage.read_audit().unknown_accounts == []
    assert list_findings(stage.audit()) == []


def test_the_name_of_a_lost_account_is_given_to_nobody_else(stage: Stage) -> None:
    stage.backup()
    make_ready(stage, "p1")
    stage.restore()
    stage.audit(restore=True)
    stage.ask("x1", usuario="al.guien@dominio")
    stage.ask("x2", usuario="alguien@dominio.example")
    names = {stage.read(share_id).ftpuser for share_id in ("x1", "x2")}
    assert "ftp_alguien_dominio" not in names
    assert len(names) == 2


def test_an_id_that_ended_and_was_forgotten_can_be_asked_for(stage: Stage) -> None:
    stage.backup()
    make_ready(stage, "p1")
    delete(stage, "p1")
    stage.work()
    stage.restore()
    stage.audit(restore=True)
    stage.ask("p1")
    assert stage.read("p1").generation == 3
    stage.work()
    assert stage.state("p1") == (State.LISTO, 3)


def test_a_newer_password_on_the_host_stays(stage: Stage) -> None:
    make_ready(stage, "p1")
    stage.backup()
    with stage.provisioner.open_world(SIMULATED_FTP_HOST) as world:
        world["users"]["ftp_alguien_dominio"]["password_hash"] = "$2b$12$newer"
        world["passwords"]["ftp_alguien_dominio"] = 7
    stage.restore()
    stage.audit(restore=True)
    stage.work()
    assert stage.read_world()["users"]["ftp_alguien_dominio"]["password_hash"] == "$2b$12$newer"
    with stage.database.read() as session:
        account = session.get_one(Account, "ftp_alguien_dominio")
    assert (account.token, account.password_generation) == (None, 7)


def test_a_wish_made_after_the_restore_goes_on(stage: Stage) -> None:
    make_ready(stage, "p1")
    stage.backup()
    with stage.database.write() as session:
        request_lifetime(session, stage.settings, "p1", 9, author="tester", request_id="r")
    stage.work()
    stage.restore()
    stage.work()
    assert stage.read_audit().stale_since is not None
    delete(stage, "p1")
    stage.audit(restore=True)
    assert stage.state("p1") == (State.ELIMINANDO, 3)
    stage.work()
    assert stage.state("p1")[0] == State.ELIMINADO
    assert stage.read_world()["shares"] == {}


def test_a_share_asked_anew_since_the_backup_lives(stage: Stage) -> None:
    make_ready(stage, "p1")
    delete(stage, "p1")
    stage.work()
    stage.backup()
    stage.ask("p1")
    stage.work()
    stage.restore()
    stage.work()
    stage.audit(restore=True)
    stage.work()
    assert stage.state("p1") == (State.LISTO, 3)
    assert "p1" in stage.read_world()["shares"]


def test_restoring_twice_changes_nothing_more(stage: Stage) -> None:
    make_ready(stage, "p1", "p2")
    stage.backup()
    delete(stage, "p1")
    stage.work()
    stage.restore()
    stage.audit(restore=True)
    stage.work()
    before = [stage.state("p1"), stage.state("p2")]
    audit = stage.audit(restore=True)
    stage.work()
    assert [stage.state("p1"), stage.state("p2")] == before
    assert list_findings(audit) == []


@pytest.mark.parametrize(("reason", "state"), [("expired", State.EXPIRADO), ("deleted", State.ELIMINADO)])
def test_a_row_follows_what_the_host_ended(stage: Stage, reason: str, state: State) -> None:
    """No restore: the host's own timer, or somebody at its terminal, was first."""
    make_ready(stage, "p1")
    with stage.provisioner.open_world(SIMULATED_FTP_HOST) as world:
        world["shares"].clear()
        world["tombstones"]["p1"] = {"generation": 1, "reason": reason, "ftpuser": "ftp_alguien_dominio"}
    audit = stage.audit(repair=True)
    assert audit.stale_since is None
    assert [(f.kind, f.repaired) for f in list_findings(audit)] == [("row_without_share", True)]
    stage.work()
    assert stage.state("p1")[0] == state
    assert list_findings(stage.audit()) == []


def test_a_disk_from_a_backup_revives_nothing(stage: Stage) -> None:
    """The other way round: the rows are right, and the host has again what ended."""
    make_ready(stage, "p1", "p2")
    old = stage.read_world()
    delete(stage, "p1")
    stage.work()
    with stage.provisioner.open_world(SIMULATED_FTP_HOST) as world:
        world["shares"], world["tombstones"] = dict(old["shares"]), {}
    found = stage.audit()
    assert [(f.kind, f.subject, f.repair) for f in list_findings(found)] == [
        ("share_without_row", "p1", "safe")
    ]
    assert found.stale_since is None
    stage.audit(repair=True)
    assert set(stage.read_world()["shares"]) == {"p2"}
    assert list_findings(stage.audit()) == []


def test_a_finding_keeps_its_shape() -> None:
    assert set(Finding.model_fields) == {"kind", "subject", "detail", "repair", "repaired"}


@given(st.sampled_from(State), st.sampled_from(State))
def test_every_state_is_reached_by_legal_steps(origin: State, target: State) -> None:
    path = [origin, *find_path(origin, target)]
    assert path[-1] == target
    for here, there in pairwise(path):
        assert there in TRANSITIONS[here]


def test_a_key_is_no_part_of_the_database(stage: Stage, tmp_path: Path) -> None:
    make_ready(stage, "p1")
    stage.backup()
    for setting in (stage.settings.encryption_key, stage.settings.secret_key):
        key = setting.get_secret_value().encode()
        assert Fernet(key) and key not in stage.copy.read_bytes()


USER = "ftp_alguien_dominio"


def rotate(stage: Stage) -> str:
    """Give the account of p1 a new password; return it as its person is told."""
    with stage.database.write() as session:
        _share, account = request_rotation(session, stage.settings, "p1", author="ana", request_id="r9")
        return stage.settings.build_fernet().decrypt((account.token or "").encode()).decode()


def opens(stage: Stage, password: str) -> bool:
    stored = stage.read_world()["users"][USER]["password_hash"]
    if stored.startswith("$argon2"):
        try:
            return argon2.PasswordHasher().verify(stored, password)
        except argon2.exceptions.VerifyMismatchError:
            return False
    return bcrypt.checkpw(password.encode(), stored.encode())


@pytest.mark.parametrize("on_host", [0, 1, 3], ids=["none", "one", "three"])
def test_a_password_asked_for_after_the_restore_is_carried_out(stage: Stage, on_host: int) -> None:
    """The restored row counts from before; the host may have had several passwords since."""
    make_ready(stage, "p1")
    stage.backup()
    for _ in range(on_host):
        rotate(stage)
        stage.work()
    with stage.database.write() as session:
        request_lifetime(session, stage.settings, "p1", 9, author="tester", request_id="r")
    stage.work()
    stage.restore()
    stage.work()
    assert stage.read_audit().stale_since is not None
    told = rotate(stage)
    assert not opens(stage, told)
    stage.audit(restore=True)
    stage.work()
    assert opens(stage, told)
    with stage.database.read() as session:
        account = session.get_one(Account, USER)
    assert account.token is not None
    assert account.password_generation == account.password_confirmed == on_host + 2


def test_a_password_that_no_run_has_brought_to_the_host_yet_is_kept(stage: Stage) -> None:
    make_ready(stage, "p1")
    told = rotate(stage)
    stage.audit(restore=True)
    stage.work()
    assert opens(stage, told)


def test_a_password_of_an_account_that_the_host_lost_is_kept(stage: Stage) -> None:
    make_ready(stage, "p1")
    told = rotate(stage)
    with stage.provisioner.open_world(SIMULATED_FTP_HOST) as world:
        del world["users"][USER]
    stage.audit(restore=True)
    with stage.database.read() as session:
        account = session.get_one(Account, USER)
    token = stage.settings.build_fernet().decrypt((account.token or "").encode()).decode()
    assert token == told


def test_a_password_that_was_confirmed_is_not_set_again(stage: Stage) -> None:
    make_ready(stage, "p1")
    told = rotate(stage)
    stage.work()
    stage.audit(restore=True)
    with stage.database.read() as session:
        account = session.get_one(Account, USER)
    assert (account.password_generation, account.password_confirmed) == (2, 2)
    assert opens(stage, told)
