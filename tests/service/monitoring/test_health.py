"""Health is what the hosts last said, and whether anybody works."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tempoftp.db.clock import utc_now
from tempoftp.db.engine import Database
from tempoftp.db.models import FtpHost, Share
from tempoftp.monitoring.health import OVERDUE_LIMIT, QUEUE_AGE_LIMIT, read_health
from tempoftp.settings import Settings
from tempoftp.states import State

FACTS = {"space_total": 4_000_000_000, "space_free": 1_000_000_000, "ftpd": {"ok": True, "banner": "220 hi"}}
DATABASE = {"ok": True, "password_schemes": ["bcrypt"]}


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
