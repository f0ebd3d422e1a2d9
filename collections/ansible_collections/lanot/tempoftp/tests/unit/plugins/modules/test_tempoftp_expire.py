# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module's main(), and the program of the timer as a real process, started as systemd starts it."""

from __future__ import annotations

import ast
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import (
    InvalidValueError,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.grace import read_grace
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.times import add_days, format_time
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.accounts import Account, write_account
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.manifest import (
    read_manifest,
    write_manifest,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.tombstones import read_tombstone
from ansible_collections.lanot.tempoftp.plugins.module_utils._sweep import (
    expire as _expire,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._sweep import (
    library as _expire_library,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._sweep import (
    settings as _expire_settings,
)
from ansible_collections.lanot.tempoftp.plugins.modules import tempoftp_expire

LONG_AGO = "2026-01-01T00:00:00Z"
DAY = 86400
LIMIT = 60


@pytest.fixture
def goes(host: Any) -> Path:
    folder: Path = host.source / "goes"
    folder.mkdir()
    (folder / "a.nc").write_bytes(os.urandom(500))
    return folder


@pytest.fixture
def settings_file(host: Any) -> Path:
    path: Path = host.folder / "expire.json"
    path.write_text(json.dumps({"grace_seconds": 0, "login_config_file": str(host.folder / "mysql.cnf")}))
    return path


@pytest.fixture
def start_program(host: Any, settings_file: Path) -> Callable[[], subprocess.Popen[str]]:
    """Return a function that starts the program on the host."""
    _expire_library.install_expire(host.tree)
    program = host.tree.lib / "current" / "expire"
    environment = {
        "TEMPOFTP_CONFIGURATION_DIRECTORY": str(host.folder / "etc"),
        "PATH": f"{host.folder / 'bin'}:{os.environ['PATH']}",
        "TEMPOFTP_SERVICE_PATH": str(host.folder / "bin"),
    }

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-I", str(program), str(settings_file)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            cwd="/",
        )

    return start


@pytest.fixture
def run_module(
    host: Any,
    capsys: pytest.CaptureFixture[str],
    settings_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., dict[str, Any]]:
    real = _expire_settings.read_settings
    monkeypatch.setattr(tempoftp_expire, "read_settings", lambda: real(settings_file))

    def run(check: bool = False, **options: Any) -> dict[str, Any]:
        arguments = {
            "root": str(host.root),
            "login_config_file": str(host.folder / "mysql.cnf"),
            "_ansible_check_mode": check,
            **options,
        }
        capsys.readouterr()
        with patch_module_args(arguments), pytest.raises(SystemExit):
            tempoftp_expire.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return run


def make_ready(host: Any, share_id: str, ready_at: str = LONG_AGO) -> None:
    manifest = read_manifest(host.tree, share_id)
    assert manifest is not None
    expires = add_days(ready_at, manifest.lifetime_days)
    write_manifest(host.tree, manifest._replace(ready_at=ready_at, expires=expires))


def is_gone(host: Any, share_id: str) -> bool:
    tombstone = read_tombstone(host.tree, share_id)
    places = (host.root / f"ftp_{share_id}", host.tree.held(share_id), host.tree.staging(share_id))
    gone = read_manifest(host.tree, share_id) is None and not any(path.exists() for path in places)
    return gone and tombstone is not None and tombstone.reason == "expired"


# ---- the program


def test_the_program_ends_what_is_over_and_says_so(host: Any, goes: Path, start_program: Any) -> None:
    host.run(*[host.share(share_id, "goes", lifetime_days=1) for share_id in ("p1", "p2")])
    make_ready(host, "p1")
    process = start_program()
    output, errors = process.communicate(timeout=LIMIT)
    assert (process.returncode, errors) == (0, "")
    assert output.startswith("share p1 of ftp_p1, generation 1, expired: ")
    assert is_gone(host, "p1") and (host.root / "ftp_p2" / "p2").exists()
    host.wait_for(lambda: list(host.tree.trash.iterdir()) == [])


def test_the_program_waits_for_what_ends_within_its_minute(host: Any, goes: Path, start_program: Any) -> None:
    host.run(*[host.share(share_id, "goes", lifetime_days=1) for share_id in ("p1", "p2")])
    make_ready(host, "p2", format_time(time.time() - DAY + 3600))
    end = int(time.time()) + 3
    make_ready(host, "p1", format_time(end - DAY))
    process = start_program()
    process.communicate(timeout=LIMIT)
    assert process.returncode == 0
    assert is_gone(host, "p1") and (host.root / "ftp_p2" / "p2").exists()
    tombstone = read_tombstone(host.tree, "p1")
    assert tombstone is not None
    assert format_time(end) <= tombstone.ended_at <= format_time(end + 2)


def test_with_the_database_away_the_program_does_the_rest_and_says_so(
    host: Any, goes: Path, start_program: Any
) -> None:
    host.run(host.share("p1", "goes", lifetime_days=1))
    make_ready(host, "p1")
    write_account(host.tree, Account("ftp_p1", "created", LONG_AGO))
    process = start_program()
    errors = process.communicate(timeout=LIMIT)[1]
    assert process.returncode == 1
    assert "accounts are finished at a later sweep" in errors and "mysql.cnf" in errors
    assert is_gone(host, "p1") and host.tree.account("ftp_p1").exists()


def test_without_pymysql_the_program_does_the_rest_and_says_so(
    host: Any, goes: Path, start_program: Any, settings_file: Path
) -> None:
    host.run(host.share("p1", "goes", lifetime_days=1))
    make_ready(host, "p1")
    write_account(host.tree, Account("ftp_p1", "created", LONG_AGO))
    program = host.tree.lib / "current" / "expire"
    ended = subprocess.run(
        [sys.executable, "-IS", str(program), str(settings_file)],
        capture_output=True,
        text=True,
        env={
            "PATH": f"{host.folder / 'bin'}:{os.environ['PATH']}",
            "TEMPOFTP_CONFIGURATION_DIRECTORY": str(host.folder / "etc"),
            "TEMPOFTP_SERVICE_PATH": "/nowhere",
        },
        timeout=LIMIT,
        check=False,
    )
    assert ended.returncode == 1 and "PyMySQL is missing" in ended.stderr
    assert is_gone(host, "p1")


@pytest.mark.parametrize("content", ["{", "[]", '{"grace_seconds": -1}', '{"columns": {"colour": "red"}}'])
def test_with_wrong_settings_a_share_ends_all_the_same(
    host: Any, goes: Path, start_program: Any, settings_file: Path, content: str
) -> None:
    host.run(host.share("p1", "goes", lifetime_days=1))
    make_ready(host, "p1")
    settings_file.write_text(content)
    process = start_program()
    errors = process.communicate(timeout=LIMIT)[1]
    assert process.returncode == 1 and "run the role ftp_server again" in errors
    assert is_gone(host, "p1")


def test_the_program_may_be_killed_at_any_moment(host: Any, goes: Path, start_program: Any) -> None:
    names = [f"p{number}" for number in range(8)]
    host.run(*[host.share(name, "goes", lifetime_days=1) for name in names])
    for name in names:
        make_ready(host, name)
    chance = random.Random(3)
    for _kill in range(6):
        process = start_program()
        try:
            process.communicate(timeout=chance.uniform(0.1, 0.35))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=LIMIT)
    process = start_program()
    errors = process.communicate(timeout=LIMIT)[1]
    assert (process.returncode, errors) == (0, "")
    assert all(is_gone(host, name) for name in names)
    # What is left in the trash, the next sweep starts the removal of.
    start_program().communicate(timeout=LIMIT)
    host.wait_for(lambda: list(host.tree.trash.iterdir()) == [])


def test_an_extension_and_a_sweep_that_meet_never_both_win(host: Any, goes: Path, start_program: Any) -> None:
    names = [f"p{number}" for number in range(6)]
    host.run(*[host.share(name, "goes", generation=1, lifetime_days=1) for name in names])
    end = int(time.time()) + 4
    # When each of them is extended, around the second at which they end.
    moments = dict(zip(names, (-2.0, -0.2, -0.1, 0.0, 0.1, 0.3)))
    for name in names:
        make_ready(host, name, format_time(end - DAY))
    results: dict[str, dict[str, Any]] = {}
    longer = {"generation": 2, "lifetime_days": 30, "require_existing": True}

    def extend() -> None:
        for name in names:
            threading.Event().wait(max(0.0, end + moments[name] - time.time()))
            (results[name],) = host.run(host.share(name, "goes", **longer))

    process = start_program()
    extend()
    process.communicate(timeout=LIMIT)
    start_program().communicate(timeout=LIMIT)
    for name in names:
        error = results[name]["error"]
        if error is None:
            manifest = read_manifest(host.tree, name)
            assert manifest is not None and manifest.lifetime_days == 30
            assert (host.root / f"ftp_{name}" / name / "a.nc").exists()
        else:
            assert error["class"] == "ended"
            assert is_gone(host, name)
    assert results["p0"]["error"] is None


def test_the_program_has_every_file_that_it_imports() -> None:
    rooms = Path(_expire.__file__).parents[1]
    wanted, found = ["_sweep/expire.py"], set()
    while wanted:
        name = wanted.pop()
        if name in found:
            continue
        found.add(name)
        for node in ast.walk(ast.parse((rooms / name).read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                folder = Path(name).parent if node.level == 1 else Path()
                target = folder / (node.module or "").replace(".", "/")
                names = (
                    [target] if (rooms / f"{target}.py").is_file() else [target / a.name for a in node.names]
                )
                wanted += [f"{module}.py" for module in names]
    library = {name for name in _expire_library.read_expire_library() if not name.endswith("__.py")}
    assert library == {f"{_expire_library.PACKAGE}/{name}" for name in found}


def test_an_upgrade_leads_the_timer_to_the_new_program(host: Any) -> None:
    first = _expire_library.install_expire(host.tree)
    other = host.tree.lib / "0000000000000000"
    other.mkdir()
    (host.tree.lib / "current").unlink()
    (host.tree.lib / "current").symlink_to(other.name)
    assert not _expire_library.is_installed(host.tree, first.name)
    assert _expire_library.install_expire(host.tree) == first
    assert (host.tree.lib / "current").resolve() == first
    assert sorted(path.name for path in host.tree.lib.iterdir()) == sorted(
        [first.name, other.name, "current"]
    )


# ---- the module


def test_the_module_ends_what_is_over_and_is_done(host: Any, goes: Path, run_module: Any) -> None:
    host.run(host.share("p1", "goes", lifetime_days=1))
    make_ready(host, "p1")
    planned = run_module(check=True)
    assert (planned["changed"], planned["shares"][0]["id"]) == (True, "p1")
    assert not (host.tree.lib / "current").exists() and (host.root / "ftp_p1" / "p1").exists()
    result = run_module()
    assert (result["changed"], result["problems"]) == (True, [])
    assert (result["shares"][0]["reason"], result["database"]) == ("expired", None)
    assert Path(result["program"]).is_dir()
    assert (host.tree.lib / "current").resolve() == Path(result["program"]).parent
    host.wait_for(lambda: list(host.tree.trash.iterdir()) == [])
    assert run_module()["changed"] is False
    assert is_gone(host, "p1")


def test_the_module_brings_the_program_to_a_host_without_shares(host: Any, run_module: Any) -> None:
    assert run_module(check=True)["changed"] is True
    assert sorted(path.name for path in host.tree.state.iterdir()) == ["lock", "root.json"]
    result = run_module(only_program=True)
    assert set(result) >= {"changed", "program"} and "shares" not in result
    assert (result["changed"], run_module()["changed"]) == (True, False)


def test_the_module_fails_for_what_it_could_not_do_after_everything_else(
    host: Any, goes: Path, run_module: Any
) -> None:
    host.run(host.share("p1", "goes", lifetime_days=1))
    make_ready(host, "p1")
    write_account(host.tree, Account("ftp_p1", "created", LONG_AGO))
    result = run_module()
    assert result["failed"] and "mysql.cnf" in result["msg"]
    assert result["database"]["error"]["class"] == "database_unavailable"
    assert result["accounts"][0]["state"] == "unknown"
    assert is_gone(host, "p1")


@pytest.mark.parametrize(
    "options", [{"grace_seconds": -1}, {"grace_seconds": 86401}, {"staging_days": 0}, {"root": "/"}]
)
def test_values_that_cannot_be_are_refused(host: Any, run_module: Any, options: dict[str, Any]) -> None:
    result = run_module(**options)
    assert result["failed"] and result["error"]["class"] == "invalid"


def test_times_that_are_not_given_are_the_roles(run_module: Any, host: Any, settings_file: Path) -> None:
    settings_file.write_text('{"grace_seconds": -5}')
    assert "run the role ftp_server again" in run_module()["msg"]
    assert run_module(grace_seconds=0, staging_days=7, trash_hours=0)["problems"] == []


# ---- settings


def test_settings_of_the_role_are_read(tmp_path: Path) -> None:
    path = tmp_path / "expire.json"
    path.write_text(
        json.dumps(
            {
                "grace_seconds": 30,
                "staging_days": 3,
                "table": "ftpd",
                "columns": {"name": "login"},
                "colour": "newer",
            }
        )
    )
    settings = _expire_settings.read_settings(path)
    assert (settings.grace_seconds, settings.staging_days) == (30.0, 3)
    assert (settings.table.table, settings.table.name, settings.table.home) == ("ftpd", "login", "Dir")
    assert read_grace(path) == 30.0
    assert _expire_settings.read_settings(tmp_path / "none.json") == _expire_settings.ExpireSettings()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"grace_seconds": "1"}', '{"grace_seconds": true}', '{"staging_days": 0.5}']
)
def test_wrong_settings_are_refused_and_give_no_grace(tmp_path: Path, content: str) -> None:
    path = tmp_path / "expire.json"
    path.write_text(content)
    with pytest.raises(InvalidValueError, match="run the role ftp_server again"):
        _expire_settings.read_settings(path)
    assert read_grace(path) == 0.0
