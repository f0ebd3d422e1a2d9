from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from flask.testing import FlaskClient

from tempoftp.db.models import Account, FtpHost
from tempoftp.hosts.workers import note_worker

SEED_KEYS = {"status", "space_free_gb", "space_total_gb", "space_used_pct", "ftpd", "database"}
FACTS: dict[str, Any] = {
    "space_total": 100 * 10**9,
    "space_free": 40 * 10**9,
    "inodes_free": 1000,
    "ftpd": {"ok": True, "banner": "220 ftp"},
}


@pytest.fixture
def tell_facts(context, settings):
    """Store the facts that a run reported about the FTP host `age` seconds ago."""

    def tell(facts: dict[str, Any], database: dict[str, Any], *, age: float = 0, **columns: Any) -> None:
        with context.database.write() as session:
            note_worker(session, "here 1")
            session.merge(
                FtpHost(
                    name=settings.ftp_host_names[0],
                    facts=facts,
                    database_facts=database,
                    facts_at=datetime.now(UTC) - timedelta(seconds=age),
                    paused=False,
                    **columns,
                )
            )

    return tell


def test_is_200_when_all_is_well(client: FlaskClient, tell_facts) -> None:
    tell_facts(FACTS, {"ok": True})
    answer = client.get("/health")
    assert answer.status_code == 200
    health = answer.json
    assert set(health) >= SEED_KEYS
    assert (health["status"], health["ftpd"], health["database"]) == ("ok", "ok", "ok")
    assert (health["space_free_gb"], health["space_total_gb"], health["space_used_pct"]) == (40, 100, 60)
    assert health["cola"] == {"pendientes": 0, "edad_segundos": 0}


def test_ftpd_down_is_503_with_the_same_keys(client: FlaskClient, tell_facts) -> None:
    tell_facts(FACTS | {"ftpd": {"ok": False}}, {"ok": True})
    answer = client.get("/health")
    assert answer.status_code == 503
    assert answer.mimetype == "application/problem+json"
    assert set(answer.json) >= SEED_KEYS | {"codigo", "title", "detail"}
    assert answer.json["ftpd"] == "error"
    assert answer.json["database"] == "ok"
    assert not isinstance(answer.json["status"], int)


def test_mariadb_down_is_503(client: FlaskClient, tell_facts) -> None:
    message = "MariaDB on ftp1 does not answer"
    tell_facts(FACTS, {"ok": False, "error": {"class": "database_unavailable", "message": message}})
    answer = client.get("/health")
    assert answer.status_code == 503
    assert answer.json["database"] == "error"
    assert message in answer.json["detail"]


def test_old_facts_are_unknown(client: FlaskClient, tell_facts, settings) -> None:
    tell_facts(FACTS, {"ok": True}, age=10 * settings.facts_max_age_seconds)
    answer = client.get("/health")
    assert answer.status_code == 503
    assert (answer.json["ftpd"], answer.json["database"]) == ("unknown", "unknown")


def test_no_worker_is_503_once_a_share_waits_too_long(
    client: FlaskClient, body: dict[str, Any], tell_facts, move_share
) -> None:
    tell_facts(FACTS, {"ok": True})
    client.post("/tmpftp", json=body)
    assert client.get("/health").status_code == 200
    move_share(body["id"], due_at=datetime.now(UTC) - timedelta(minutes=5))
    answer = client.get("/health")
    assert answer.status_code == 503
    assert answer.json["cola"]["pendientes"] == 1
    assert answer.json["cola"]["edad_segundos"] >= 300


def test_the_services_own_database_down_is_503(client: FlaskClient, context) -> None:
    with context.database.write() as session:
        session.connection().exec_driver_sql("DROP TABLE ftp_hosts")
    answer = client.get("/health")
    assert answer.status_code == 503
    assert answer.json["title"] == "Base de datos no disponible"
    assert "ftp_hosts" not in answer.text


def test_a_password_that_no_key_decrypts_is_a_problem(client: FlaskClient, context, tell_facts) -> None:
    tell_facts(FACTS, {"ok": True})
    with context.write() as session:
        token = Fernet(Fernet.generate_key()).encrypt(b"clave").decode()
        session.add(
            Account(name="ftp_a", email="a@b", ftp_host="ftp1", token=token, created_at=datetime.now(UTC))
        )
    answer = client.get("/health")
    assert answer.status_code == 503
    assert "ftp_a" in answer.json["problemas"][0]
    assert "TEMPOFTP_ENCRYPTION_KEY" in answer.json["detail"]
