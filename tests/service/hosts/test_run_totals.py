"""Runs are counted where they end, and the counts outlive whoever counted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from tempoftp.db.engine import Database
from tempoftp.db.models import RunTotal
from tempoftp.hosts.run_totals import BUCKETS, INFINITY, count_run, read_run_totals
from tempoftp.worker.run_host import HostRunner


def test_a_run_counts_once_in_every_bucket_it_fits(database: Database) -> None:
    for seconds in (0.4, 0.5, 4, 1000):
        count_run(database, "ftp1", "shares", "done", seconds, shares=2)
    with database.read() as session:
        (total,) = read_run_totals(session)
    assert dict(total.buckets) == {bound: 2 if float(bound) < 5 else 3 for bound in BUCKETS} | {INFINITY: 4}
    assert [bound for bound, _ in total.buckets] == [*BUCKETS, INFINITY]
    assert (total.seconds, total.shares) == (1004.9, 8)


def test_hosts_kinds_and_outcomes_are_apart(database: Database) -> None:
    count_run(database, "ftp1", "shares", "done", 1)
    count_run(database, "ftp2", "shares", "done", 1)
    count_run(database, "ftp1", "audit", "done", 1)
    count_run(database, "ftp1", "shares", "run_failed", 1)
    with database.read() as session:
        found = [(total.ftp_host, total.kind, total.outcome) for total in read_run_totals(session)]
    assert found == [
        ("ftp1", "audit", "done"),
        ("ftp1", "shares", "done"),
        ("ftp1", "shares", "run_failed"),
        ("ftp2", "shares", "done"),
    ]


def test_counts_of_several_at_once_all_arrive(database: Database) -> None:
    def count(_number: int) -> None:
        count_run(database, "ftp1", "shares", "done", 1)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(40)))
    with database.read() as session:
        assert read_run_totals(session)[0].buckets[-1] == (INFINITY, 40)


def test_a_run_that_cannot_be_counted_is_a_warning_and_no_more(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with database.write() as session:
        session.execute(text("DROP TABLE run_totals"))
    count_run(database, "ftp1", "shares", "done", 1)
    assert "was not counted" in caplog.text


def test_a_bucket_of_an_earlier_release_still_counts(database: Database) -> None:
    with database.write() as session:
        session.add(
            RunTotal(ftp_host="f", kind="shares", outcome="done", bucket="7", runs=3, seconds=20.0, shares=0)
        )
    with database.read() as session:
        assert dict(read_run_totals(session)[0].buckets)[INFINITY] == 3


def test_real_runs_are_counted_with_their_outcome(
    database: Database, accept_share, runner: HostRunner, ftp_host: str
) -> None:
    accept_share()
    assert runner.run_host(ftp_host) == 1
    with database.read() as session:
        (total,) = read_run_totals(session)
    assert (total.ftp_host, total.kind, total.outcome, total.shares) == (ftp_host, "shares", "done", 1)
    assert 0.1 < total.seconds < 60
