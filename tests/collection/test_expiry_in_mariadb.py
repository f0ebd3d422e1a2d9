"""The life of an account against a real MariaDB: extended, blocked, expired by the real program as a process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.times import add_days, format_time
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.tree import Tree, prepare_tree
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.accounts import read_account
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.manifest import (
    Manifest,
    delete_manifest,
    read_manifest,
    write_manifest,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.tombstones import read_tombstone
from ansible_collections.lanot.tempoftp.plugins.module_utils._sweep.library import install_expire

from tests.support.delivery_root import record_root

OUR_TABLE = """
CREATE TABLE users (
   User VARCHAR(64) PRIMARY KEY,
   Password VARCHAR(255) NOT NULL,
   Uid INT NOT NULL,
   Gid INT NOT NULL,
   Dir VARCHAR(255) NOT NULL,
   Status TINYINT NOT NULL DEFAULT 1,
   Expires DATETIME NULL
)"""
ENUM_TABLE = """
CREATE TABLE users (
   User VARCHAR(64) PRIMARY KEY,
   Password VARCHAR(64) NOT NULL,
   Uid VARCHAR(11) NOT NULL,
   Gid VARCHAR(11) NOT NULL,
   Dir VARCHAR(255) NOT NULL,
   Status ENUM('0','1') NOT NULL DEFAULT '1',
   QuotaSize INT NOT NULL DEFAULT 7
)"""
NAME, OTHER = "ftp_alguien", "ftp_otra"
HASH = "$2b$12$" + "a" * 53
NEW_HASH = "$2b$12$" + "b" * 53
NOT_SYSTEMD = "#!/bin/sh\nexit 0\n"
DAY = 86400
LIMIT = 60


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """A delivery root on a host where no unit runs and nobody is served."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("systemctl", "systemd-run", "pure-ftpwho"):
        (programs / name).write_text(NOT_SYSTEMD)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("TEMPOFTP_SERVICE_PATH", str(programs))
    made = record_root(tmp_path / "data", monkeypatch)
    prepare_tree(made)
    install_expire(made)
    return made


@pytest.fixture
def account(database: Any, run_module: Any, tree: Tree) -> Callable[..., dict[str, Any]]:
    """Return a function that runs tempoftp_ftpuser for one account with the shares' root."""
    database.make_table(OUR_TABLE)

    def run(name: str = NAME, **desired: Any) -> dict[str, Any]:
        result = run_module(
            shares_root=str(tree.root), users=[{"name": name, "password_hash": HASH, **desired}]
        )
        user: dict[str, Any] = result["users"][0]
        return user

    return run


@pytest.fixture
def expire(tree: Tree, tmp_path: Path) -> Callable[[], subprocess.CompletedProcess[str]]:
    """Return a function that runs the program of the timer once."""
    settings = tmp_path / "expire.json"
    settings.write_text(
        json.dumps(
            {
                "login_config_file": str(tmp_path / "mysql.cnf"),
                "pureftpd_mysql_conf": str(tmp_path / "mysql.conf"),
                "connect_timeout": 1,
            }
        )
    )

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-I", str(tree.lib / "current" / "expire"), str(settings)],
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )

    return run


@pytest.fixture
def download(tree: Tree, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that looks like a session of the account with a running download."""
    program = tmp_path / "pure-ftpd-mysql"
    shutil.copy2(str(shutil.which("sleep")), program)
    with subprocess.Popen(["pure-ftpd (DOWNLOAD)", "300"], executable=program) as process:
        # In the middle of its exec a process has no command line yet.
        deadline = time.monotonic() + LIMIT
        while not Path(f"/proc/{process.pid}/cmdline").read_bytes().startswith(b"pure-ftpd"):
            assert time.monotonic() < deadline
        who = tmp_path / "bin" / "pure-ftpwho"
        # A process that was killed and not yet waited for is no session.
        who.write_text(
            f"#!/bin/sh\n{shutil.which('grep')} -q '^State:.[^Z]' /proc/{process.pid}/status &&"
            f" echo '{process.pid}|{NAME}|1|DL||||||||'\nexit 0\n"
        )
        yield process
        process.kill()


def write_share(tree: Tree, share_id: str, days: int = 10, **changes: Any) -> Manifest:
    """Put a delivered share into its home."""
    share = Manifest(
        share_id,
        1,
        NAME,
        "source1:/srv/x",
        uid=os.geteuid(),
        gid=os.getegid(),
        state="delivered",
        lifetime_days=days,
        delivered_at=format_time(0),
    )._replace(**changes)
    place = tree.destination(share.ftpuser, share_id)
    place.mkdir(parents=True)
    (place / "a.nc").write_bytes(b"x")
    place.parent.chmod(0o750)
    write_manifest(tree, share)
    return share


def end(tree: Tree, share_id: str) -> None:
    """Make a share one whose time is up."""
    share = read_manifest(tree, share_id)
    assert share is not None
    ready = format_time(time.time() - share.lifetime_days * DAY - 5)
    expires = add_days(ready, share.lifetime_days)
    write_manifest(tree, share._replace(ready_at=ready, expires=expires))


def read_row(database: Any, name: str = NAME, columns: str = "Status, Expires") -> Any:
    rows = database.execute(f"SELECT {columns} FROM users WHERE BINARY User = '{name}'")
    return [str(value) for value in rows[0]] if rows else None


def to_mysql(moment: str | None) -> str:
    assert moment is not None
    return moment.replace("T", " ").rstrip("Z")


def test_the_account_goes_with_its_last_share(account: Any, database: Any, tree: Tree, expire: Any) -> None:
    write_share(tree, "p1")
    account()
    end(tree, "p1")
    ended = expire()
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"account {NAME}: absent" in ended.stdout
    assert read_row(database) is None
    assert read_account(tree, NAME) is None
    assert not tree.home(NAME).exists()
    tombstone = read_tombstone(tree, "p1")
    assert tombstone is not None and (tombstone.ftpuser, tombstone.reason) == (NAME, "expired")
    assert HASH not in ended.stdout + ended.stderr


def test_a_transfer_has_its_grace_when_its_account_goes(
    account: Any, database: Any, tree: Tree, tmp_path: Path, expire: Any, download: subprocess.Popen[bytes]
) -> None:
    write_share(tree, "p1")
    account()
    end(tree, "p1")
    settings = json.loads((tmp_path / "expire.json").read_text())
    (tmp_path / "expire.json").write_text(json.dumps({**settings, "grace_seconds": 600}))
    ended = expire()
    assert (ended.returncode, ended.stderr) == (0, "")
    assert read_row(database) is None
    assert download.poll() is None
    note = json.loads(tree.eviction("p1").read_text())
    tree.eviction("p1").write_text(json.dumps({**note, "grace": 0.0}))
    assert expire().returncode == 0
    assert download.wait(LIMIT) == -signal.SIGTERM


def test_the_sessions_of_an_account_that_outlived_its_shares_end_with_it(
    account: Any, database: Any, tree: Tree, expire: Any, download: subprocess.Popen[bytes]
) -> None:
    write_share(tree, "p1")
    account()
    delete_manifest(tree, "p1")
    shutil.rmtree(tree.home(NAME))
    ended = expire()
    assert (ended.returncode, ended.stderr) == (0, "")
    assert read_row(database) is None
    assert download.wait(LIMIT) == -signal.SIGTERM


def test_an_account_lives_as_long_as_its_longest_share(
    account: Any, database: Any, tree: Tree, expire: Any
) -> None:
    write_share(tree, "p1", 20)
    write_share(tree, "p2", 3)
    account()
    end(tree, "p1")
    assert expire().returncode == 0
    short = read_manifest(tree, "p2")
    assert short is not None
    assert read_row(database) == ["1", to_mysql(short.expires)]
    assert [path.name for path in tree.home(NAME).iterdir()] == ["p2"]
    for left in tree.trash.iterdir():
        shutil.rmtree(left)  # as its unit does
    again = expire()
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


def test_an_account_is_shut_when_only_blocked_shares_are_left(
    account: Any, database: Any, tree: Tree, expire: Any
) -> None:
    write_share(tree, "p1")
    write_share(tree, "p2", state="blocked", hidden=True)
    tree.destination(NAME, "p2").rename(tree.held("p2"))
    assert account()["state"] == "present"
    end(tree, "p1")
    assert expire().returncode == 0
    hidden = read_manifest(tree, "p2")
    assert hidden is not None
    assert read_row(database) == ["0", to_mysql(hidden.expires)]


def test_a_blocked_account_is_not_opened_by_the_end_of_a_share(
    account: Any, database: Any, tree: Tree, expire: Any
) -> None:
    write_share(tree, "p1")
    write_share(tree, "p2")
    account()
    account(state="blocked")
    end(tree, "p1")
    assert expire().returncode == 0
    assert read_row(database)[0] == "0"


def test_with_the_database_hanging_the_data_goes_and_the_account_follows_later(
    account: Any, database: Any, tree: Tree, expire: Any
) -> None:
    write_share(tree, "p1")
    account()
    end(tree, "p1")
    os.kill(database.process.pid, signal.SIGSTOP)
    try:
        ended = expire()
    finally:
        os.kill(database.process.pid, signal.SIGCONT)
    assert ended.returncode == 1
    assert "accounts are finished at a later sweep" in ended.stderr
    assert "share p1 of" in ended.stdout
    assert not tree.home(NAME).exists() and read_tombstone(tree, "p1") is not None
    assert read_row(database) is not None
    ended = expire()
    assert (ended.returncode, ended.stderr) == (0, "")
    assert read_row(database) is None and read_account(tree, NAME) is None


def test_an_account_that_was_there_before_is_never_written(
    account: Any, database: Any, tree: Tree, expire: Any
) -> None:
    database.execute(
        f"INSERT INTO users VALUES ('{NAME}', 'theirs', 2001, 2001, '{tree.root}/{NAME}', 1, NULL)"
    )
    write_share(tree, "p1", origin="adopted")
    assert account(adopt=True)["origin"] == "adopted"
    before = database.execute("SELECT * FROM users")
    end(tree, "p1")
    assert expire().returncode == 0
    assert database.execute("SELECT * FROM users") == before
    assert tree.home(NAME).is_dir() and not tree.destination(NAME, "p1").exists()


def test_a_damaged_manifest_keeps_its_account_and_no_other(
    account: Any, database: Any, tree: Tree, expire: Any
) -> None:
    write_share(tree, "p1")
    write_share(tree, "p2")
    write_share(tree, "p3", ftpuser=OTHER)
    account()
    account(OTHER)
    for share_id in ("p1", "p2", "p3"):
        end(tree, share_id)
    tree.manifest("p2").write_text('{"schema": 1, "id": "p2", "ftpuser": "' + NAME + '", ')
    ended = expire()
    assert ended.returncode == 1 and "p2.json" in ended.stderr
    assert read_row(database) is not None and read_row(database, OTHER) is None
    assert [path.name for path in tree.home(NAME).iterdir()] == ["p2"]
    assert not tree.home(OTHER).exists()


def test_a_table_without_expires_and_with_an_enum_is_swept_as_well(
    database: Any, run_module: Any, tree: Tree, expire: Any
) -> None:
    database.make_table(ENUM_TABLE)
    write_share(tree, "p1")
    write_share(tree, "p2", state="blocked", hidden=True)
    tree.destination(NAME, "p2").rename(tree.held("p2"))
    run_module(shares_root=str(tree.root), users=[{"name": NAME, "password_hash": HASH}])
    assert read_row(database, columns="Status, QuotaSize") == ["1", "7"]
    end(tree, "p1")
    assert expire().returncode == 0
    assert read_row(database, columns="Status, QuotaSize") == ["0", "7"]
    end(tree, "p2")
    assert expire().returncode == 0
    assert read_row(database, columns="Status") is None


def test_forty_accounts_end_in_one_sweep(database: Any, run_module: Any, tree: Tree, expire: Any) -> None:
    database.make_table(OUR_TABLE)
    names = [f"ftp_{number}" for number in range(40)]
    for name in names:
        write_share(tree, f"s_{name}", ftpuser=name)
    run_module(shares_root=str(tree.root), users=[{"name": name, "password_hash": HASH} for name in names])
    assert database.execute("SELECT COUNT(*) FROM users") == ((40,),)
    for name in names:
        end(tree, f"s_{name}")
    ended = expire()
    assert (ended.returncode, ended.stderr) == (0, "")
    assert database.execute("SELECT COUNT(*) FROM users") == ((0,),)
    assert [path.name for path in tree.root.iterdir()] == [".tempoftp"]


# ---- extended, shortened, blocked, and other passwords


@pytest.mark.parametrize("days", [2, 30])
def test_a_changed_number_of_days_reaches_the_row_and_then_the_manifest(
    account: Any, database: Any, tree: Tree, days: int
) -> None:
    write_share(tree, "p1", 10)
    account()
    share = read_manifest(tree, "p1")
    assert share is not None
    write_manifest(tree, share._replace(lifetime_days=days, generation=2))
    user = account()
    changed = read_manifest(tree, "p1")
    assert changed is not None and changed.ready_at == share.ready_at
    assert changed.expires == add_days(str(share.ready_at), days) == user["expires"]
    assert read_row(database) == ["1", to_mysql(changed.expires)]
    assert user["shares"][0]["generation"] == 2
    assert account()["changed"] is False


def test_a_share_that_is_over_is_not_extended(account: Any, database: Any, tree: Tree, expire: Any) -> None:
    write_share(tree, "p1", 3)
    account()
    end(tree, "p1")
    before = read_manifest(tree, "p1")
    user = account()
    assert user["skipped_reason"] == "no_delivered_share"
    assert read_manifest(tree, "p1") == before
    assert expire().returncode == 0 and read_row(database) is None


@pytest.mark.parametrize("state", ["present", "blocked"])
def test_an_account_is_blocked_with_its_last_share_and_opened_again(
    account: Any, database: Any, tree: Tree, state: str
) -> None:
    write_share(tree, "p1")
    account()
    share = read_manifest(tree, "p1")
    assert share is not None
    write_manifest(tree, share._replace(state="blocked", hidden=True))
    assert account(state=state)["state"] == "blocked"
    assert read_row(database) == ["0", to_mysql(share.expires)]
    write_manifest(tree, share)
    assert account()["state"] == "present"
    assert read_row(database) == ["1", to_mysql(share.expires)]


def test_no_late_password_comes_back(account: Any, database: Any, tree: Tree) -> None:
    write_share(tree, "p1")
    account(password_generation=1)
    always = {"update_password": "always"}
    assert account(password_hash=NEW_HASH, password_generation=2, **always)["changed"]
    late = account(password_hash=HASH, password_generation=1, **always)
    assert late["error"]["class"] == "stale"
    assert not account(password_hash=NEW_HASH, password_generation=2, **always)["changed"]
    assert read_row(database, columns="Password") == [NEW_HASH]
    record = read_account(tree, NAME)
    assert record is not None and record.password_generation == 2
