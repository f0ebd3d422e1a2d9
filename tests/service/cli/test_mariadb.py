"""The service on a real MariaDB: a move from SQLite, and API and worker that share only the database."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.mariadb_server import Server, run_mariadb

pytestmark = [pytest.mark.processes, pytest.mark.needs_mariadb]
TEMPOFTP = str(Path(sys.executable).with_name("tempoftp"))
RUTA = "source1:/srv/datos/tarda-0"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with run_mariadb() as server:
        yield server


@pytest.fixture
def mariadb(server: Server) -> dict[str, str]:
    """Settings for an empty database, with a login that has rights on this database only."""
    with server.connect(None) as connection, connection.cursor() as cursor:
        cursor.execute("DROP DATABASE IF EXISTS tempoftp")
        cursor.execute("CREATE DATABASE tempoftp CHARACTER SET utf8mb4")
        cursor.execute("CREATE OR REPLACE USER tempoftp@localhost IDENTIFIED BY 'login'")
        cursor.execute("GRANT ALL ON tempoftp.* TO tempoftp@localhost")
    url = f"mysql+pymysql://tempoftp:login@localhost/tempoftp?unix_socket={server.socket}"
    return {"TEMPOFTP_DATABASE_URL": url}


def test_a_service_moves_from_sqlite_with_everything(
    mariadb: dict[str, str],
    tmp_path: Path,
    make_environ: Callable[..., dict[str, str]],
    serve_and_work: Callable[..., Any],
    run_tempoftp: Callable[..., Any],
) -> None:
    before = make_environ(tmp_path)
    with serve_and_work(tmp_path, before):
        for person in ("ana", "luis"):
            asked = run_tempoftp(
                before, "request", f"{person}@dominio.example", f"{person}_1", RUTA, "--watch"
            )
            assert asked.code == 0, asked.err
        shown = json.loads(run_tempoftp(before, "status", "ana_1", "--json").out)
        password = run_tempoftp(before, "decrypt", "--id", "ana_1").out
        events = run_tempoftp(before, "events", "ana_1").out
    backup = tmp_path / "backup.sqlite3"
    assert run_tempoftp(before, "db", "backup", str(backup)).code == 0
    after = before | mariadb
    moved = run_tempoftp(after, "db", "import", str(backup), "--json")
    assert moved.code == 0, moved.err
    assert json.loads(moved.out)["rows"]["shares"] == 2
    (tmp_path / "state" / "tempoftp.sqlite3").unlink()

    with serve_and_work(tmp_path, after):
        assert json.loads(run_tempoftp(after, "status", "ana_1", "--json").out) == shown
        assert run_tempoftp(after, "decrypt", "--id", "ana_1").out == password
        assert run_tempoftp(after, "events", "ana_1").out == events
        assert run_tempoftp(after, "extend", "ana_1", "20").code == 0
        assert run_tempoftp(after, "delete", "luis_1").code == 0
        later = run_tempoftp(after, "request", "ana@dominio.example", "ana_2", RUTA, "--watch")
        assert later.code == 0, later.err
    assert not (tmp_path / "state" / "tempoftp.sqlite3").exists()


def test_two_migrations_at_once_wait_for_each_other(
    mariadb: dict[str, str], server: Server, tmp_path: Path, make_environ: Callable[..., dict[str, str]]
) -> None:
    """MariaDB does not change tables in a transaction. Without a lock, API and worker would see half a migration."""
    environ = make_environ(tmp_path, **mariadb)  # which makes a token, and tables for it
    with server.connect("tempoftp") as connection, connection.cursor() as cursor:
        cursor.execute("DROP DATABASE tempoftp")
        cursor.execute("CREATE DATABASE tempoftp CHARACTER SET utf8mb4")
        cursor.execute("USE tempoftp")
        cursor.execute("SELECT GET_LOCK('tempoftp schema tempoftp', 1)")
        assert cursor.fetchone() == (1,)
        process = subprocess.Popen(
            [TEMPOFTP, "db", "upgrade"], env=environ, stderr=subprocess.PIPE, text=True
        )
        deadline = time.monotonic() + 60
        while True:
            cursor.execute("SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User lock'")
            if cursor.fetchone() == (1,):
                break
            assert process.poll() is None and time.monotonic() < deadline, "it does not wait"
            time.sleep(0.1)
        assert cursor.execute("SHOW TABLES") == 0
    assert process.communicate(timeout=120)[1] == ""
    assert process.returncode == 0
    with server.connect("tempoftp") as connection, connection.cursor() as cursor:
        assert cursor.execute("SHOW TABLES LIKE 'shares'") == 1


def test_api_and_worker_need_no_common_folder(
    mariadb: dict[str, str],
    tmp_path: Path,
    make_environ: Callable[..., dict[str, str]],
    wait_for_answer: Callable[..., None],
    run_tempoftp: Callable[..., Any],
) -> None:
    """As on two machines: no wake-up arrives, and the worker finds new requests when it looks periodically."""
    api = make_environ(tmp_path, **mariadb)
    url = f"http://127.0.0.1:{api['TEMPOFTP_PORT']}"
    api |= {"TEMPOFTP_URL": url}
    worker = api | {"TEMPOFTP_STATE_DIR": str(tmp_path / "elsewhere")}
    processes = []
    with (tmp_path / "log").open("w") as log:
        try:
            for command, environ in (("serve", api), ("worker", worker)):
                processes.append(subprocess.Popen([TEMPOFTP, command], env=environ, stdout=log, stderr=log))
            wait_for_answer(f"{url}/health", processes, tmp_path / "log")
            asked = run_tempoftp(api, "request", "ana@dominio.example", "ana_1", RUTA, "--watch")
            assert asked.code == 0, asked.err
            assert json.loads(run_tempoftp(api, "delete", "ana_1", "--json").out)["status"] == "deleted"
        finally:
            for process in processes:
                process.terminate()
            codes = [process.wait(timeout=40) for process in processes]
    assert codes == [0, 0], (tmp_path / "log").read_text()
