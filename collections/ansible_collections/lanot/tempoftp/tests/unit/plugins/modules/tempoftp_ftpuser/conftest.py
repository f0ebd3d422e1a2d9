# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A scripted MySQL server, and the real ``main()`` of the module that talks to it."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable
from typing import Any

import pymysql
import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.lanot.tempoftp.plugins.module_utils._host import sessions as _sessions
from ansible_collections.lanot.tempoftp.plugins.modules import tempoftp_ftpuser

HASH = "$2b$12$" + "a" * 53
COLUMNS = (("User", 255), ("Password", 255), ("Uid", None), ("Gid", None), ("Dir", 255), ("Status", None))
FIELDS = "`User`, `Password`, `Uid`, `Gid`, `Dir`, `Status`"


class ScriptedServer:
    """Plays one conversation: each statement must be the next one expected, with just these values."""

    def __init__(self) -> None:
        self.login: dict[str, Any] = {}
        self.refusal: Exception | None = None
        self._exchanges: deque[tuple[str, Any, Any]] = deque()
        self._next_rows: Any = ()

    def expect(self, statement: str, values: Any = (), answer: Any = ()) -> None:
        """Expect a statement that matches the pattern *statement*; answer with rows, or raise an exception."""
        self._exchanges.append((statement, values, answer))

    def expect_table(self, columns: Any = COLUMNS, table: str = "users") -> None:
        """Expect the opening that every execution has."""
        self.expect(r"^SET SESSION sql_mode = 'STRICT_ALL_TABLES.*time_zone = '\+00:00'$", None)
        self.expect(r"^SELECT VERSION\(\)$", (), [("10.11.14-MariaDB",)])
        self.expect(r"FROM INFORMATION_SCHEMA\.COLUMNS.*BINARY TABLE_NAME = %s", (table,), columns)

    def expect_read(self, names: list[str], rows: Any = (), fields: str = FIELDS) -> None:
        """Expect the rows of *names* to be read."""
        marks = ", ".join(["%s"] * len(names))
        self.expect(re.escape(f"SELECT {fields} FROM `users` WHERE `User` IN ({marks})") + "$", names, rows)

    def expect_looks(self, names: list[str], rows: Any = (), fields: str = FIELDS) -> None:
        """Expect the rows of *names* to be read before the host's lock is taken, and once more under it."""
        self.expect_read(names, rows, fields)
        self.expect_commit()
        self.expect_read(names, rows, fields)

    def expect_commit(self, answer: Any = ()) -> None:
        """Expect the end of the transaction."""
        self.expect("^COMMIT$", None, answer)

    def connect(self, **login: Any) -> ScriptedServer:
        """Stand in for pymysql.connect."""
        self.login = login
        if self.refusal is not None:
            raise self.refusal
        return self

    def cursor(self) -> ScriptedServer:
        return self

    def __enter__(self) -> ScriptedServer:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def close(self) -> None:
        pass

    def execute(self, statement: str, values: Any = None) -> None:
        assert self._exchanges, f"not expected any more: {statement}"
        expected, expected_values, answer = self._exchanges.popleft()
        assert re.search(expected, statement), f"{statement!r} is not {expected!r}"
        if values is not None:
            values = list(values)
            assert statement % tuple(values) is not None, "every mark has its value"
        assert values == (None if expected_values is None else list(expected_values))
        if isinstance(answer, Exception):
            raise answer
        self._next_rows = answer

    def fetchall(self) -> Any:
        return self._next_rows

    def commit(self) -> None:
        self.execute("COMMIT")

    def assert_done(self) -> None:
        """Fail when an expected statement never came."""
        assert not self._exchanges, f"never came: {[exchange[0] for exchange in self._exchanges]}"


@pytest.fixture(autouse=True)
def nobody_is_served(tmp_path, monkeypatch):
    """Answer that nobody is served: other tests start processes that look like sessions at the same time."""
    who = tmp_path / "who" / "pure-ftpwho"
    who.parent.mkdir()
    who.write_text("#!/bin/sh\n")
    who.chmod(0o755)
    monkeypatch.setattr(_sessions, "_SERVICE_PATH", str(who.parent))


@pytest.fixture
def server(monkeypatch):
    """Return the scripted server; at the end all that was expected must have come."""
    scripted = ScriptedServer()
    monkeypatch.setattr(pymysql, "connect", scripted.connect)
    yield scripted
    scripted.assert_done()


@pytest.fixture
def mysql_conf(tmp_path):
    """Return a pure-ftpd MySQL configuration that accepts every safe scheme."""
    path = tmp_path / "mysql.conf"
    path.write_text("MYSQLCrypt any\n")
    return path


@pytest.fixture
def run(capsys, mysql_conf) -> Callable[..., dict[str, Any]]:
    """Return a function that runs the module with some options and returns its result."""

    def run_module(check: bool = False, **options: Any) -> dict[str, Any]:
        arguments = {
            "login_config_file": "",
            "login_user": "tempoftp",
            "login_password": "the login's own secret",
            "login_db": "pureftpd",
            "pureftpd_mysql_conf": str(mysql_conf),
            "_ansible_check_mode": check,
            "_ansible_diff": True,
            **options,
        }
        capsys.readouterr()
        with patch_module_args(arguments), pytest.raises(SystemExit) as caught:
            tempoftp_ftpuser.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert bool(caught.value.code) == result.get("failed", False)
        return result

    return run_module
