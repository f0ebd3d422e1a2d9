"""A real MariaDB on a unix socket, and the module's real ``main()`` against it. Needs no root and no network."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from tests.support.mariadb_server import Server

HERE = Path(__file__).resolve().parent


@pytest.fixture
def database(mariadb: Server) -> Server:
    """Return the server with an empty database and a login that has just the documented grants."""
    with mariadb.connect(None) as connection, connection.cursor() as cursor:
        cursor.execute("DROP DATABASE IF EXISTS pureftpd")
        cursor.execute("CREATE DATABASE pureftpd")
        cursor.execute("CREATE OR REPLACE USER tempoftp@localhost IDENTIFIED BY 'login secret'")
    return mariadb


@pytest.fixture
def run_module(
    database: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Any]]:
    """Return a function that runs tempoftp_ftpuser's main() against the real server and returns its result."""
    from ansible_collections.lanot.tempoftp.plugins.module_utils._host import sessions as _sessions
    from ansible_collections.lanot.tempoftp.plugins.modules import tempoftp_ftpuser

    # Nobody is served, though other tests start processes that look like sessions at the same time.
    who = tmp_path / "who" / "pure-ftpwho"
    who.parent.mkdir()
    who.write_text("#!/bin/sh\n")
    who.chmod(0o755)
    monkeypatch.setattr(_sessions, "_SERVICE_PATH", str(who.parent))
    login = tmp_path / "mysql.cnf"
    login.write_text(
        f"[client]\nsocket = {database.socket}\nuser = tempoftp\npassword = 'login secret'\ndatabase = pureftpd\n"
    )
    conf = tmp_path / "mysql.conf"
    conf.write_text("MYSQLCrypt any\n")

    def run(check: bool = False, **options: Any) -> dict[str, Any]:
        arguments = {
            "login_config_file": str(login),
            "pureftpd_mysql_conf": str(conf),
            "_ansible_check_mode": check,
            "_ansible_diff": True,
            **options,
        }
        capsys.readouterr()
        with patch_module_args(arguments), pytest.raises(SystemExit):
            tempoftp_ftpuser.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return run


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A server of their own takes its time: ``make processes`` runs these, ``make unit`` does not."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("processes")
