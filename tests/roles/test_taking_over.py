"""What was there before the roles came stays as it is unless the operator says otherwise."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pymysql
import pytest

from tests.roles.rendering import PROJECT
from tests.support.mariadb_server import run_mariadb
from tests.support.private_host import build_environ, build_run

pytestmark = [pytest.mark.processes, pytest.mark.needs_root]

STRANGER = 2345


def _run(tmp_path: Path, role: str, tasks: list[str], hosts: dict[str, dict[str, Any]], *flags: str) -> str:
    """Return what Ansible wrote, in one line for each host's failure."""
    done = subprocess.run(
        [*build_run(tmp_path, role, tasks, hosts), *flags],
        cwd=PROJECT,
        env={**os.environ, **build_environ(tmp_path)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    return re.sub(r"\s+", " ", done.stdout)


def _read_failures(output: str) -> dict[str, bool]:
    recap = output.partition("PLAY RECAP")[2]
    return {name: failed != "0" for name, failed in re.findall(r"(\w+) : ok=.*?failed=(\d+)", recap)}


def _make_root(
    folder: Path, *names: str, owner: int = 0, mode: int = 0o755, ours: bool = False
) -> dict[str, Any]:
    folder.mkdir()
    for name in (*names, *([".tempoftp"] if ours else [])):
        (folder / name).mkdir()
    os.chown(folder, owner, owner)
    folder.chmod(mode)
    return {"tempoftp_root": str(folder), "ftp_server_managed": True}


def test_a_delivery_root_that_is_in_use_is_refused(tmp_path: Path) -> None:
    refused = {
        "theirs": _make_root(tmp_path / "1", "goes16", "himawari", owner=STRANGER),
        "hidden": _make_root(tmp_path / "2", ".snapshots", owner=STRANGER, mode=0o775),
        "roots": _make_root(tmp_path / "3", "backup"),
        "adopted": _make_root(tmp_path / "4", "goes16", owner=STRANGER, ours=True),
    }
    accepted = {
        "missing": {"tempoftp_root": str(tmp_path / "no"), "ftp_server_managed": True},
        "empty": _make_root(tmp_path / "5", owner=STRANGER),
        "disk": _make_root(tmp_path / "6", "lost+found"),
        "ours": _make_root(tmp_path / "7", "ftp_alguien", ours=True),
        "fits": _make_root(tmp_path / "8", "ftp_alguien", mode=0o751),
        "told": {**_make_root(tmp_path / "9", "goes16", owner=STRANGER), "ftp_server_take_root": True},
        "unmanaged": {**_make_root(tmp_path / "10", "goes16", owner=STRANGER), "ftp_server_managed": False},
    }
    output = _run(tmp_path, "ftp_server", ["check_root"], refused | accepted)
    assert _read_failures(output) == dict.fromkeys(refused, True) | dict.fromkeys(accepted, False), output
    assert f"{tmp_path}/1 on this host is in use, and nothing was changed. It belongs to {STRANGER}" in output
    assert "has goes16, himawari." in output
    assert (tmp_path / "1").stat().st_uid == STRANGER


def _build_remote(**variables: Any) -> dict[str, Any]:
    return {
        "tempoftp_db_host": "db.example.org",
        "ftp_database_makes_ftpd_login": True,
        "tempoftp_login_config_file": "/nonexistent/mysql.cnf",
        **variables,
    }


def test_a_database_elsewhere_gets_no_invented_password(tmp_path: Path) -> None:
    kept = "[client]\nhost={}\nport=3306\nuser=tempoftp\npassword=de-antes\n"
    (tmp_path / "its.cnf").write_text(kept.format("db.example.org"), encoding="utf-8")
    (tmp_path / "other.cnf").write_text(kept.format("127.0.0.1"), encoding="utf-8")
    both = {"tempoftp_db_password": "no-es-secreto", "tempoftp_db_ftpd_password": "tampoco"}
    alone = {"ftp_database_makes_ftpd_login": False}
    refused = {
        "none": _build_remote(),
        "one": _build_remote(tempoftp_db_password="no-es-secreto"),
        "other": _build_remote(**alone, tempoftp_login_config_file=str(tmp_path / "other.cnf")),
    }
    accepted = {
        "both": _build_remote(**both),
        "alone": _build_remote(**alone, tempoftp_db_password="no-es-secreto"),
        "kept": _build_remote(**alone, tempoftp_login_config_file=str(tmp_path / "its.cnf")),
        "here": _build_remote(tempoftp_db_host="127.0.0.1"),
    }
    output = _run(tmp_path, "ftp_database", ["logins"], refused | accepted)
    assert _read_failures(output) == dict.fromkeys(refused, True) | dict.fromkeys(accepted, False), output
    assert "The database server db.example.org is managed elsewhere" in output
    assert "no-es-secreto" not in output


@pytest.mark.needs_mariadb
def test_the_database_is_asked_with_roots_password(tmp_path: Path) -> None:
    with run_mariadb() as server:
        logins = [
            {"file": "x", "user": "tempoftp", "password": "clave-1"},
            {"file": "y", "user": "pureftpd", "password": "clave-2"},
        ]
        with server.connect(None) as connection, connection.cursor() as cursor:
            cursor.execute("ALTER USER root@localhost IDENTIFIED BY 'raiz'")
        common = {
            "tempoftp_db_socket": str(server.socket),
            "ftp_database_managed": True,
            "ftp_database_makes_ftpd_login": True,
            "ftp_database_logins": logins,
        }
        hosts = {"a_without": common, "b_given": {**common, "ftp_database_root_password": "raiz"}}
        output = _run(tmp_path, "ftp_database", ["schema"], hosts, "--forks=1")
        assert _read_failures(output) == {"a_without": True, "b_given": False}, output
        assert "raiz" not in output
        with pymysql.connect(
            unix_socket=str(server.socket), user="pureftpd", password="clave-2", database="pureftpd"
        ) as connection:
            with connection.cursor() as cursor:
                cursor.execute("SELECT COUNT(*) FROM users")
                assert cursor.fetchone() == (0,)
            with pytest.raises(pymysql.err.OperationalError), connection.cursor() as cursor:
                cursor.execute("DELETE FROM users")


@pytest.mark.needs_mariadb
def test_a_server_that_cannot_be_asked_stops_the_role(tmp_path: Path) -> None:
    with run_mariadb() as server:
        socket = str(server.socket)
        (tmp_path / "mariadbd").touch()
        (tmp_path / "nothing").mkdir()
        nowhere = str(tmp_path / "nothing" / "mysqld.sock")
        hosts = {
            "elsewhere": {"tempoftp_db_socket": nowhere},
            "told_where": {"tempoftp_db_socket": socket},
            "told_to_take": {"tempoftp_db_socket": nowhere, "ftp_database_manage": True},
            "remote": {"tempoftp_db_socket": nowhere, "tempoftp_db_host": "db.example.org"},
        }
        signs = f'{{"ftp_database_server_signs": ["{tmp_path}/mariadbd"]}}'
        output = _run(tmp_path, "ftp_database", ["detect"], hosts, "-e", signs)
    assert _read_failures(output) == {
        "elsewhere": True,
        "told_where": False,
        "told_to_take": False,
        "remote": False,
    }, output
    assert f"it cannot be asked at {nowhere} as root" in output
    assert f"({tmp_path}/mariadbd)" in output
