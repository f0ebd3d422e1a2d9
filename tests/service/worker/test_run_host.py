"""One FTP host's run, from the claim to the outcome, on a simulated host."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from tempoftp.accounts.map import map_account
from tempoftp.db.clock import database_now, utc_now
from tempoftp.db.engine import Database
from tempoftp.db.models import Account, FtpHost, HistoryEntry, Run, Share
from tempoftp.errors import ShareError
from tempoftp.hosts.workers import note_worker
from tempoftp.monitoring.health import read_health
from tempoftp.settings import Settings
from tempoftp.shares.changes import request_deletion
from tempoftp.shares.log import find_log
from tempoftp.shares.messages import READY_WITH_EARLIER_PASSWORD, say_message
from tempoftp.shares.results import Outcome
from tempoftp.shares.serializers import describe_share
from tempoftp.states import State
from tempoftp.worker.provisioner import RunAbandoned, RunFailed
from tempoftp.worker.request import RunRequest
from tempoftp.worker.run_host import HostRunner, plan_wait
from tempoftp.worker.simulated.provisioner import SimulatedProvisioner
from tests.support.runs import Recording, work_until

AcceptShare = Callable[..., Share]
ReadShare = Callable[[str], Share]


def test_a_share_becomes_ready(
    settings: Settings, database: Database, runner: HostRunner, accept_share: AcceptShare, ftp_host: str
) -> None:
    accept_share("p1")
    assert runner.run_host(ftp_host) == 1
    work_until(runner, database, ftp_host, "p1", State.LISTO)
    with database.read() as session:
        share = session.get_one(Share, "p1")
        answer = describe_share(session, settings, share, seal=str)
        states = session.scalars(
            select(HistoryEntry.to_state).where(HistoryEntry.share_id == "p1").order_by(HistoryEntry.number)
        ).all()
        runs = session.scalars(select(Run)).all()
    assert states[0] == State.RECIBIDO
    assert states[-1] == State.LISTO
    assert answer["status"] == "listo"
    assert answer["password_tipo"] == "fernet"
    assert len(settings.build_fernet().decrypt(answer["password"])) == 20
    assert answer["directorio"] == "/data/ftp_alguien_dominio/p1"
    assert runs and all(run.ended_at is not None and run.error_class is None for run in runs)


def test_later_share_of_the_account_answers_with_the_hash(
    settings: Settings, database: Database, runner: HostRunner, accept_share: AcceptShare, ftp_host: str
) -> None:
    accept_share("p1")
    accept_share("p2", ruta="source1:/srv/datos/b")
    work_until(runner, database, ftp_host, "p1", State.LISTO)
    work_until(runner, database, ftp_host, "p2", State.LISTO)
    accept_share("p3", ruta="source1:/srv/datos/c")
    work_until(runner, database, ftp_host, "p3", State.LISTO)
    with database.read() as session:
        shown = {
            share_id: describe_share(session, settings, session.get_one(Share, share_id), seal=str)
            for share_id in ("p1", "p2", "p3")
        }
        account = session.get_one(Account, "ftp_alguien_dominio")
    # p1 and p2 were asked for before the account existed.
    assert [shown[i]["password_tipo"] for i in ("p1", "p2", "p3")] == ["fernet", "fernet", "hash"]
    assert shown["p1"]["password"] == shown["p2"]["password"] == account.token
    assert shown["p3"]["password"] == account.password_hash
    assert shown["p3"]["mensaje"] == READY_WITH_EARLIER_PASSWORD


def test_reuse_password_shows_the_token_again(
    settings: Settings, database: Database, runner: HostRunner, accept_share: AcceptShare, ftp_host: str
) -> None:
    for share_id in ("p1", "p2"):
        accept_share(share_id, ruta=f"source1:/srv/datos/{share_id}")
        work_until(runner, database, ftp_host, share_id, State.LISTO)
    reusing = settings.model_copy(update={"reuse_password": True})
    with database.read() as session:
        answer = describe_share(session, reusing, session.get_one(Share, "p2"), seal=str)
        token = session.get_one(Account, "ftp_alguien_dominio").token
    assert (answer["password"], answer["password_tipo"]) == (token, "fernet")


def test_account_that_was_there_before_shows_its_hash(
    settings: Settings, database: Database, runner: HostRunner, accept_share: AcceptShare, ftp_host: str
) -> None:
    with database.write() as session:
        map_account(session, "alguien@dominio", "juan.perez", ftp_host)
    accept_share("p1", ruta="source1:/srv/datos/existe")
    work_until(runner, database, ftp_host, "p1", State.LISTO)
    with database.read() as session:
        answer = describe_share(session, settings, session.get_one(Share, "p1"), seal=str)
    assert answer["password_tipo"] == "hash"
    assert answer["password"].startswith("$6$")
    assert answer["usuario"] == "juan.perez"


def test_account_that_was_there_before_is_nobodys_until_an_operator_says_so(
    database: Database, runner: HostRunner, accept_share: AcceptShare, ftp_host: str
) -> None:
    accept_share("p1", ruta="source1:/srv/datos/existe")
    work_until(runner, database, ftp_host, "p1", State.ERROR)
    with database.read() as session:
        share = session.get_one(Share, "p1")
    assert share.error_class == "account_conflict"
    assert "map it" in say_message(share)


@pytest.mark.parametrize(
    ("name", "state"),
    [("source_not_found", State.ERROR), ("too_large", State.ERROR), ("no_space", State.PREPARANDO)],
)
def test_a_failure_harms_no_neighbour(
    database: Database, runner: HostRunner, accept_share: AcceptShare, ftp_host: str, name: str, state: State
) -> None:
    accept_share("bad", ruta=f"source1:/srv/datos/falla-{name}")
    accept_share("good", usuario="otra@dominio")
    accept_share("same", ruta="source1:/srv/datos/b")
    work_until(runner, database, ftp_host, "good", State.LISTO)
    work_until(runner, database, ftp_host, "same", State.LISTO)
    with database.read() as session:
        bad = session.get_one(Share, "bad")
    assert (bad.state, bad.error_class) == (state, name)
    assert name in say_message(bad)


def test_transient_failure_is_delivered_when_it_passes(
    database: Database, runner: HostRunner, accept_share: AcceptShare, ftp_host: str
) -> None:
    accept_share("p1", ruta="source1:/srv/datos/falla-source_unreachable-1")
    runner.run_host(ftp_host)
    share = work_until(runner, database, ftp_host, "p1", State.LISTO)
    assert (share.error_class, share.message, share.retry_until) == (None, (), None)


class TestDeletion:
    """Access and data go, and only what nobody else needs."""

    def delete(self, database: Database, share_id: str) -> None:
        with database.write() as session:
            request_deletion(session, share_id, author="x", request_id="r2")

    def test_last_share_takes_the_account_along(
        self,
        database: Database,
        runner: HostRunner,
        recording: Recording,
        accept_share: AcceptShare,
        ftp_host: str,
    ) -> None:
        accept_share("p1")
        work_until(runner, database, ftp_host, "p1", State.LISTO)
        self.delete(database, "p1")
        work_until(runner, database, ftp_host, "p1", State.ELIMINADO)
        item = recording.requests[-1].shares[0]
        user = recording.requests[-1].users[0]
        assert (item.state, item.generation) == ("absent", 2)
        assert (user.state, user.password_hash, user.end_sessions) == ("absent", None, True)
        with database.read() as session:
            account = session.get_one(Account, "ftp_alguien_dominio")
        assert (account.token, account.password_hash, account.exists_since) == (None, None, None)

    def test_other_share_keeps_the_account(
        self,
        database: Database,
        runner: HostRunner,
        recording: Recording,
        accept_share: AcceptShare,
        ftp_host: str,
    ) -> None:
        accept_share("p1")
        accept_share("p2", ruta="source1:/srv/datos/b")
        work_until(runner, database, ftp_host, "p1", State.LISTO)
        work_until(runner, database, ftp_host, "p2", State.LISTO)
        self.delete(database, "p1")
        work_until(runner, database, ftp_host, "p1", State.ELIMINADO)
        assert recording.requests[-1].users[0].state == "present"
        with database.read() as session:
            assert session.get_one(Account, "ftp_alguien_dominio").token is not None
            assert session.get_one(Share, "p2").state == State.LISTO

    def test_wanted_again_gets_a_new_password(
        self,
        settings: Settings,
        database: Database,
        runner: HostRunner,
        accept_share: AcceptShare,
        ftp_host: str,
    ) -> None:
        accept_share("p1")
        work_until(runner, database, ftp_host, "p1", State.LISTO)
        with database.read() as session:
            before = session.get_one(Account, "ftp_alguien_dominio").token
        self.delete(database, "p1")
        # Asked for while the account is on its way out.
        accept_share("p2", ruta="source1:/srv/datos/b")
        work_until(runner, database, ftp_host, "p1", State.ELIMINADO)
        share = work_until(runner, database, ftp_host, "p2", State.LISTO)
        with database.read() as session:
            account = session.get_one(Account, "ftp_alguien_dominio")
        assert share.state == State.LISTO
        assert account.token is not None
        assert before is not None
        self.delete(database, "p2")
        work_until(runner, database, ftp_host, "p2", State.ELIMINADO)
        accept_share("p3", ruta="source1:/srv/datos/c")
        work_until(runner, database, ftp_host, "p3", State.LISTO)
        with database.read() as session:
            answer = describe_share(session, settings, session.get_one(Share, "p3"), seal=str)
        assert answer["password_tipo"] == "fernet"
        assert answer["password"] not in (before, None)

    def test_never_started(
        self, database: Database, runner: HostRunner, accept_share: AcceptShare, ftp_host: str
    ) -> None:
        accept_share("p1")
        self.delete(database, "p1")
        work_until(runner, database, ftp_host, "p1", State.ELIMINADO)

    def test_in_the_middle_of_a_run(
        self,
        database: Database,
        runner: HostRunner,
        recording: Recording,
        accept_share: AcceptShare,
        read_share: ReadShare,
        ftp_host: str,
    ) -> None:
        """The run delivers what is not wanted any more: thrown away here, refused by generation there."""
        accept_share("p1")
        recording.meanwhile = lambda request: self.delete(database, "p1")
        runner.run_host(ftp_host)
        assert read_share("p1").state == State.ELIMINANDO
        recording.meanwhile = lambda request: None
        work_until(runner, database, ftp_host, "p1", State.ELIMINADO)
        late = recording.inner.run(recording.requests[0], lambda: False)
        assert late.shares[0].error is not None
        assert late.shares[0].error.error_class == "stale"
        assert late.users[0].skipped_reason == "no_delivered_share"
        assert "came late" in find_log(runner.settings.log_folder, "p1").read_text()


class Broken:
    """A provisioner that fails in one way."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def reserve_run_id(self, ftp_host: str) -> str:
        return "broken-1"

    def run(self, request: RunRequest, should_stop: Callable[[], bool]) -> Outcome:
        raise self.error

    def sweep(self) -> None: ...

    def close(self) -> None: ...


def test_run_without_outcome_is_told_to_every_share(
    settings: Settings,
    database: Database,
    runner: HostRunner,
    accept_share: AcceptShare,
    read_share: ReadShare,
    ftp_host: str,
) -> None:
    error = ShareError.of("ftp_host_unreachable", "ftp1 cannot be reached over ssh")
    runner.provisioner = Broken(RunFailed(error))
    accept_share("p1")
    runner.run_host(ftp_host)
    share = read_share("p1")
    assert (share.state, share.error_class) == (State.PREPARANDO, "ftp_host_unreachable")
    assert error.message in say_message(share)
    assert share.due_at is not None
    assert share.due_at > utc_now()
    with database.read() as session:
        health = read_health(session, settings)
        run = session.get_one(Run, "broken-1")
    assert health["status"] == "degraded"
    assert any("cannot be reached" in text for text in health["problemas"])
    assert (run.error_class, run.ended_at is not None) == ("ftp_host_unreachable", True)


def test_abandoned_run_gives_its_shares_back_untouched(
    database: Database, runner: HostRunner, accept_share: AcceptShare, read_share: ReadShare, ftp_host: str
) -> None:
    runner.provisioner = Broken(RunAbandoned())
    accept_share("p1")
    runner.run_host(ftp_host)
    share = read_share("p1")
    assert (share.lease_run_id, share.error_class, share.attempt) == (None, None, 0)
    assert share.due_at is not None
    assert share.due_at <= utc_now()
    with database.read() as session:
        assert session.get_one(Account, share.ftpuser).lease_run_id is None


def test_a_bug_does_not_keep_the_lease(
    runner: HostRunner, accept_share: AcceptShare, read_share: ReadShare, ftp_host: str
) -> None:
    runner.provisioner = Broken(ZeroDivisionError("bug"))
    accept_share("p1")
    with pytest.raises(ZeroDivisionError):
        runner.run_host(ftp_host)
    assert read_share("p1").lease_run_id is None


def test_empty_run_fetches_facts_once(
    settings: Settings, database: Database, runner: HostRunner, recording: Recording, ftp_host: str
) -> None:
    assert runner.run_host(ftp_host) == 0
    assert runner.run_host(ftp_host) == 0
    assert [(request.shares, request.users) for request in recording.requests] == [([], [])]
    with database.write() as session:
        note_worker(session, "one")
    with database.read() as session:
        assert session.get_one(FtpHost, ftp_host).facts_at is not None
        health = read_health(session, settings)
        assert session.scalars(select(Run)).all() == []
    assert (health["status"], health["ftpd"], health["database"]) == ("ok", "ok", "ok")
    assert health["space_total_gb"] == 1000


def test_heartbeat_keeps_the_lease_of_a_long_run(
    database: Database, runner: HostRunner, recording: Recording, accept_share: AcceptShare, ftp_host: str
) -> None:
    runner.settings = runner.settings.model_copy(update={"heartbeat_seconds": 0.1})
    accept_share("p1")
    taken: list[int] = []

    def read_end() -> datetime:
        with database.read() as session:
            end = session.get_one(Share, "p1").lease_until
        assert end is not None
        return end

    def outlive_the_lease(request: RunRequest) -> None:
        with database.write() as session:
            almost_over = session.get_one(Share, "p1").lease_until = database_now(session) + timedelta(
                seconds=20
            )
        deadline = time.monotonic() + 20
        while read_end() <= almost_over:
            assert time.monotonic() < deadline, "nothing extends the lease"
            time.sleep(0.05)
        other = HostRunner(runner.settings, database, SimulatedProvisioner(runner.settings.state_dir))
        taken.append(other.run_host(ftp_host))
        other.close()

    recording.meanwhile = outlive_the_lease
    runner.run_host(ftp_host)
    assert taken == [0]
    with database.read() as session:
        share = session.get_one(Share, "p1")
    assert share.bytes_total is not None  # its outcome was still its own


def test_log_has_no_secret(
    settings: Settings, database: Database, runner: HostRunner, accept_share: AcceptShare, ftp_host: str
) -> None:
    accept_share("p1")
    work_until(runner, database, ftp_host, "p1", State.LISTO)
    with database.read() as session:
        account = session.get_one(Account, "ftp_alguien_dominio")
    assert account.token is not None
    assert account.password_hash is not None
    text = find_log(runner.settings.log_folder, "p1").read_text()
    assert "state=listo" in text
    assert "request=request-p1" in text
    clear = settings.build_fernet().decrypt(account.token).decode()
    assert not [secret for secret in (clear, account.token, account.password_hash) if secret in text]


@pytest.mark.parametrize(
    ("states", "wait"),
    [
        ([("preparando", None)], 3),
        ([("traslado", 500.0)], 0),
        ([("traslado", 2.0)], 3),
        ([("traslado", None)], 3),
        ([("traslado", 500.0), ("preparando", None)], 3),
        ([("eliminando", None)], 3),
        ([("preparando", None)] * 51, 9),
        ([("preparando", None)] * 26, 6),
        ([("preparando", None)] * 500, 9),
        ([], 0),
    ],
)
def test_waits_only_for_what_may_finish(states: list[tuple[str, float | None]], wait: float) -> None:
    shares = [Share(state=state, eta=eta) for state, eta in states]
    assert plan_wait(shares, 3) == wait
