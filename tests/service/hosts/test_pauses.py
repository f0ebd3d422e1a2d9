"""Paused hosts get no new run; one that is under way ends; a restart keeps it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tempoftp.db.engine import Database, open_database
from tempoftp.db.models import FtpHost, Share
from tempoftp.hosts.pauses import count_runs, pause_hosts, resume_hosts
from tempoftp.refusals import HostNotFound
from tempoftp.settings import Settings
from tempoftp.shares.claims import claim_shares, find_due_hosts, find_stale_hosts
from tempoftp.shares.create import choose_ftp_host
from tempoftp.states import State
from tempoftp.worker.run_host import HostRunner

AcceptShare = Callable[..., Share]


@pytest.fixture
def two_hosts(settings: Settings) -> Settings:
    return settings.model_copy(update={"ftp_hosts": ("ftp1", "ftp2")})


def pause(
    database: Database, settings: Settings, name: str | None, reason: str | None = "disco"
) -> list[str]:
    with database.write() as session:
        return [host.name for host in pause_hosts(session, settings, name, reason=reason, author="ana")]


def read_paused(database: Database) -> dict[str, tuple[bool, str | None, str | None]]:
    with database.read() as session:
        return {
            host.name: (host.paused, host.pause_reason, host.paused_by) for host in session.query(FtpHost)
        }


def test_one_host(two_hosts: Settings, database: Database) -> None:
    assert pause(database, two_hosts, "ftp1") == ["ftp1"]
    assert read_paused(database) == {"ftp1": (True, "disco", "ana")}
    with database.read() as session:
        assert choose_ftp_host(session, two_hosts) == "ftp2"
        assert find_stale_hosts(session, two_hosts) == {"ftp2"}


def test_all_and_back(two_hosts: Settings, database: Database) -> None:
    assert pause(database, two_hosts, None) == ["ftp1", "ftp2"]
    with database.write() as session:
        resume_hosts(session, two_hosts, "ftp2")
    assert read_paused(database) == {"ftp1": (True, "disco", "ana"), "ftp2": (False, None, None)}
    with database.write() as session:
        assert len(resume_hosts(session, two_hosts, None)) == 2
    assert {paused for paused, _reason, _author in read_paused(database).values()} == {False}


def test_again_keeps_who_was_first(two_hosts: Settings, database: Database) -> None:
    pause(database, two_hosts, "ftp1")
    with database.write() as session:
        (host,) = pause_hosts(session, two_hosts, "ftp1", reason="otra", author="beto")
        assert (host.paused_by, host.pause_reason) == ("ana", "otra")


def test_unknown_host(two_hosts: Settings, database: Database) -> None:
    with pytest.raises(HostNotFound, match="'ftp1', 'ftp2'"):
        pause(database, two_hosts, "ftp9")
    assert read_paused(database) == {}


def test_a_run_under_way_ends_and_no_new_one_starts(
    settings: Settings, database: Database, accept_share: AcceptShare, ftp_host: str, runner: HostRunner
) -> None:
    accept_share("p1", "source1:/srv/datos/tarda-0")
    with database.write() as session:
        claim_shares(session, ftp_host, "run1", 50, 30)
    pause(database, settings, None)
    with database.read() as session:
        assert count_runs(session) == {ftp_host: 1}
    accept_share("p2", "source1:/srv/datos/b", usuario="otra@dominio")
    again = open_database(settings)  # as after a restart
    try:
        with again.read() as session:
            assert find_due_hosts(session) == set()
        with again.write() as session:
            assert claim_shares(session, ftp_host, "run2", 50, 30) == []
    finally:
        again.close()
    assert runner.run_host(ftp_host) == 0
    with database.write() as session:
        resume_hosts(session, settings, ftp_host)
    assert runner.run_host(ftp_host) == 1
    with database.read() as session:
        assert session.get_one(Share, "p2").state in (State.TRASLADO, State.LISTO)
