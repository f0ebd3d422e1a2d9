"""Health is what the hosts last said, and whether anybody works."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

from tempoftp.db.clock import utc_now
from tempoftp.db.engine import Database
from tempoftp.db.models import FtpHost, Share, WorkerProcess
from tempoftp.hosts.workers import KEPT, SILENCE_LIMIT, note_worker
from tempoftp.monitoring.health import OVERDUE_LIMIT, QUEUE_AGE_LIMIT, describe_full_disk, read_health
from tempoftp.settings import Settings
from tempoftp.states import State

FACTS = {"space_total": 4_000_000_000, "space_free": 1_000_000_000, "ftpd": {"ok": True, "banner": "220 hi"}}
DATABASE = {"ok": True, "password_schemes": ["bcrypt"]}


@pytest.fixture(autouse=True)
def worker(database: Database) -> None:
    """A worker that gives signs of life."""
    with database.write() as session:
        note_worker(session, "here 1")


def read(settings: Settings, database: Database) -> dict[str, Any]:
    with database.read() as session:
        return read_health(session, settings)


def put_host(database: Database, name: str, **changes: Any) -> None:
    values = {"facts": FACTS, "database_facts": DATABASE, "facts_at": utc_now(), "paused": False} | changes
    with database.write() as session:
        session.merge(FtpHost(name=name, **values))


def test_all_is_well(settings: Settings, database: Database, ftp_host: str) -> None:
    put_host(database, ftp_host)
    health = read(settings, database)
    assert health["status"] == "ok"
    assert (health["space_total_gb"], health["space_free_gb"], health["space_used_pct"]) == (4, 1, 75)
    assert (health["ftpd"], health["database"], health["problemas"]) == ("ok", "ok", [])


def test_never_heard_of(settings: Settings, database: Database, ftp_host: str) -> None:
    health = read(settings, database)
    assert (health["status"], health["ftpd"], health["database"]) == ("degraded", "unknown", "unknown")
    assert health["space_total_gb"] is None
    assert ftp_host in health["problemas"][0]


@pytest.mark.parametrize(
    ("changes", "ftpd", "mysql", "part"),
    [
        ({"facts": FACTS | {"ftpd": {"ok": False}}}, "error", "ok", "pure-ftpd"),
        (
            {"facts": FACTS | {"root": {"ok": False, "error": "mount it"}, "space_total": None}},
            "ok",
            "ok",
            "root_missing: mount it",
        ),
        (
            {"facts": FACTS | {"clock": {"ok": False, "error": "it is ahead"}}},
            "ok",
            "ok",
            "clock_unsure: it is ahead",
        ),
        ({"database_facts": {"ok": False, "error": {"message": "refused"}}}, "ok", "error", "refused"),
        ({"database_facts": {"ok": False}}, "ok", "error", "database"),
        ({"error_class": "run_failed", "error_message": "boom"}, "ok", "ok", "boom"),
    ],
)
def test_what_is_wrong_is_said(
    settings: Settings,
    database: Database,
    ftp_host: str,
    changes: dict[str, Any],
    ftpd: str,
    mysql: str,
    part: str,
) -> None:
    put_host(database, ftp_host, **changes)
    health = read(settings, database)
    assert (health["status"], health["ftpd"], health["database"]) == ("degraded", ftpd, mysql)
    assert part in " ".join(health["problemas"])


def test_old_facts_say_nothing_about_now(settings: Settings, database: Database, ftp_host: str) -> None:
    put_host(database, ftp_host, facts_at=utc_now() - timedelta(seconds=4 * settings.facts_max_age_seconds))
    health = read(settings, database)
    assert (health["status"], health["ftpd"], health["database"]) == ("degraded", "unknown", "unknown")
    assert health["space_total_gb"] == 4


def test_several_hosts_add_up(settings: Settings, database: Database) -> None:
    several = settings.model_copy(update={"ftp_hosts": ("a", "b")})
    put_host(database, "a")
    put_host(database, "b", facts=FACTS | {"ftpd": {"ok": False}})
    health = read(several, database)
    assert (health["space_total_gb"], health["ftpd"]) == (8, "error")
    assert set(health["hosts"]) == {"a", "b"}


def test_idle_workers_show_in_the_queue(
    settings: Settings, database: Database, accept_share: Callable[..., Share], ftp_host: str
) -> None:
    put_host(database, ftp_host)
    accept_share("p1")
    health = read(settings, database)
    assert (health["status"], health["cola"]["pendientes"]) == ("ok", 1)
    with database.write() as session:
        session.get_one(Share, "p1").due_at = utc_now() - timedelta(seconds=QUEUE_AGE_LIMIT + 5)
    health = read(settings, database)
    assert health["status"] == "degraded"
    assert health["cola"]["edad_segundos"] == pytest.approx(QUEUE_AGE_LIMIT + 5, abs=5)
    assert "tempoftp-worker" in " ".join(health["problemas"])


@pytest.mark.parametrize(
    ("state", "column", "part"),
    [
        (State.EXPIRANDO, "state_changed_at", "have been ending"),
        (State.ELIMINANDO, "state_changed_at", "have been ending"),
        (State.LISTO, "expires", "have expired"),
    ],
)
def test_what_does_not_end_is_said(
    settings: Settings,
    database: Database,
    ftp_host: str,
    accept_share: Callable[..., Share],
    state: State,
    column: str,
    part: str,
) -> None:
    put_host(database, ftp_host)
    accept_share("p1")
    with database.write() as session:
        share = session.get_one(Share, "p1")
        share.state, share.due_at = state, None
        setattr(share, column, utc_now() - timedelta(seconds=OVERDUE_LIMIT - 60))
    assert read(settings, database)["problemas"] == []
    with database.write() as session:
        setattr(session.get_one(Share, "p1"), column, utc_now() - timedelta(seconds=OVERDUE_LIMIT + 60))
    (problem,) = read(settings, database)["problemas"]
    assert problem.startswith("1 ")
    assert part in problem
    put_host(database, ftp_host, paused=True)
    assert read(settings, database)["problemas"] == []


def test_a_paused_host_is_no_problem_and_says_so(
    settings: Settings, database: Database, ftp_host: str, accept_share: Callable[..., Share]
) -> None:
    accept_share("p1")
    with database.write() as session:
        session.get_one(Share, "p1").due_at = utc_now() - timedelta(hours=1)
    since = utc_now() - timedelta(hours=1)
    paused = {"paused": True, "pause_reason": "disco nuevo", "paused_by": "ana", "paused_since": since}
    put_host(database, ftp_host, facts_at=since, error_class="run_failed", error_message="x", **paused)
    health = read(settings, database)
    assert (health["status"], health["problemas"]) == ("ok", [])
    host = health["hosts"][ftp_host]
    assert (host["pausado"], host["razon"], host["autor"], host["corridas"]) == (
        *(True, "disco nuevo", "ana"),
        0,
    )


def test_a_sources_file_that_went_wrong_after_the_start_is_told(
    settings: Settings, database: Database, ftp_host: str
) -> None:
    put_host(database, ftp_host)
    settings.sources_file.write_text("sources: {nodo: {roots: [{name: x, path: relativa}], tipo: a}}")
    health = read(settings, database)
    assert health["status"] == "degraded"
    assert [part in " ".join(health["problemas"]) for part in ("roots.0.path", "tipo")] == [True, True]


@pytest.mark.parametrize("silent", [None, SILENCE_LIMIT + 5, 7200.0], ids=["never", "a_minute", "hours"])
def test_a_dead_worker_is_said_although_nothing_waits(
    settings: Settings, database: Database, ftp_host: str, silent: float | None
) -> None:
    put_host(database, ftp_host)
    with database.write() as session:
        row = session.get_one(WorkerProcess, "here 1")
        if silent is None:
            session.delete(row)
        else:
            row.seen_at = utc_now() - timedelta(seconds=silent)
    health = read(settings, database)
    assert (health["status"], health["cola"]["pendientes"]) == ("degraded", 0)
    assert "no worker" in health["problemas"][0]
    with database.write() as session:
        note_worker(session, "there 2")
    assert read(settings, database)["status"] == "ok", "one that works is enough"


def test_a_worker_that_ended_long_ago_is_forgotten(database: Database) -> None:
    with database.write() as session:
        session.get_one(WorkerProcess, "here 1").seen_at = utc_now() - KEPT - timedelta(hours=1)
    with database.write() as session:
        note_worker(session, "there 2")
    with database.read() as session:
        assert [row.name for row in session.scalars(select(WorkerProcess))] == ["there 2"]


@pytest.mark.parametrize(
    "facts",
    [{"space_free": 0}, {"space_free": 39_000_000}, {"inodes_free": 3}],
    ids=["nothing", "less_than_a_hundredth", "inodes"],
)
def test_a_full_disk_of_a_host_is_said(
    settings: Settings, database: Database, ftp_host: str, facts: dict[str, int]
) -> None:
    put_host(database, ftp_host, facts=FACTS | facts)
    health = read(settings, database)
    assert health["status"] == "degraded"
    assert health["problemas"][0].startswith(f"{ftp_host}: its disk is full")


@pytest.mark.parametrize(
    ("changes", "part"),
    [({"f_bavail": 10}, "bytes are free"), ({"f_favail": 3}, "3 inodes are free")],
    ids=["bytes", "inodes"],
)
def test_a_full_disk_of_the_state_folder_is_said(
    settings: Settings,
    database: Database,
    ftp_host: str,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, int],
    part: str,
) -> None:
    put_host(database, ftp_host)
    values = {"f_bavail": 10**9, "f_frsize": 4096, "f_files": 10**6, "f_favail": 10**5} | changes
    monkeypatch.setattr("os.statvfs", lambda _folder: SimpleNamespace(**values))
    health = read(settings, database)
    assert health["status"] == "degraded"
    assert str(settings.state_dir) in health["problemas"][0]
    assert part in health["problemas"][0]


def test_a_filesystem_without_inodes_is_not_full(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    values = {"f_bavail": 10**9, "f_frsize": 4096, "f_files": 0, "f_favail": 0}
    monkeypatch.setattr("os.statvfs", lambda _folder: SimpleNamespace(**values))
    assert describe_full_disk(tmp_path) == []


def test_a_state_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    assert "cannot be read" in describe_full_disk(tmp_path / "gone")[0]


@pytest.mark.parametrize("state", [State.LISTO, State.ERROR, State.EXPIRANDO])
def test_shares_of_a_host_that_is_not_configured_are_said(
    settings: Settings, database: Database, ftp_host: str, accept_share: Callable[..., Share], state: State
) -> None:
    accept_share("p1")
    put_host(database, "nuevo")
    with database.write() as session:
        share = session.get_one(Share, "p1")
        share.state, share.due_at = state, None
    health = read(settings.model_copy(update={"ftp_hosts": ("nuevo",)}), database)
    assert health["status"] == "degraded"
    assert health["problemas"][0].startswith(f"{ftp_host}: 1 share(s) live there")
