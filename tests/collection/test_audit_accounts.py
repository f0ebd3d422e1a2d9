"""tempoftp_audit and tempoftp_ftpuser_info against a real MariaDB: accounts, shares and their drift."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.lock import hold_lock
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.times import format_time
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.tree import Tree, prepare_tree
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.accounts import (
    delete_account,
    read_account,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.manifest import Manifest, write_manifest
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.tombstones import (
    Tombstone,
    write_tombstone,
)
from ansible_collections.lanot.tempoftp.plugins.modules import (
    tempoftp_audit,
    tempoftp_ftpuser_info,
    tempoftp_share_info,
)

from tests.collection.slow_servers import SilentServer, waiting_for_the_table
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
NAME = "ftp_alguien"
HASH = "$2b$12$" + "a" * 53
NO_SERVER = {"login_host": "127.0.0.1", "login_port": 1}
NOT_SYSTEMD = "#!/bin/sh\nexit 0\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A delivery root with one delivered share, on a host where no unit runs."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("systemctl", "systemd-run"):
        (programs / name).write_text(NOT_SYSTEMD)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    root = tmp_path / "data"
    (root / NAME / "p1").mkdir(parents=True)
    for path in (root, root / NAME, root / NAME / "p1"):
        path.chmod(0o750)
    prepare_tree(record_root(root, monkeypatch))
    write_share(root, "p1")
    return root


def write_share(root: Path, share_id: str, **changes: Any) -> Manifest:
    share = Manifest(
        share_id,
        1,
        NAME,
        "source1:/srv/x",
        uid=os.geteuid(),
        gid=os.getegid(),
        state="delivered",
        path=str(root / NAME / share_id),
        delivered_at=format_time(0),
    )._replace(**changes)
    write_manifest(Tree(root), share)
    return share


@pytest.fixture
def run(
    database: Any, run_module: Any, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., dict[str, Any]]:
    """Return a function that runs a module's main() with its login; the account of p1 is there already."""
    database.make_table(OUR_TABLE)
    made = run_module(name=NAME, password_hash=HASH, shares_root=str(root))
    assert made["users"][0]["state"] == "present"

    def call(module: Any = tempoftp_audit, check: bool = False, **options: Any) -> dict[str, Any]:
        arguments = {
            "login_config_file": str(tmp_path / "mysql.cnf"),
            "pureftpd_mysql_conf": str(tmp_path / "mysql.conf"),
            "root": str(root),
            "_ansible_check_mode": check,
            **options,
        }
        capsys.readouterr()
        with patch_module_args(arguments), pytest.raises(SystemExit):
            module.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return call


def show(result: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    return [(f["kind"], f["subject"], f["repair"], f["repaired"]) for f in result["findings"]]


def read_row(database: Any) -> Any:
    return database.execute(f"SELECT Dir, Status, Expires FROM users WHERE BINARY User = '{NAME}'")


def test_what_the_modules_made_is_consistent(run: Any, database: Any) -> None:
    database.execute("INSERT INTO users VALUES ('vieja', 'x', 3000, 3000, '/srv/vieja', 1, NULL)")
    result = run()
    assert (result["changed"], result["findings"]) == (False, [])
    (account,) = result["facts"]["accounts"]
    assert (account["name"], account["origin"], account["state"]) == (NAME, "created", "present")
    assert HASH not in json.dumps(result)


def test_an_account_that_was_changed_is_set_right(run: Any, database: Any) -> None:
    before = read_row(database)
    database.execute("UPDATE users SET Dir = '/etc', Expires = NULL")
    assert show(run()) == [("account_differs", NAME, "safe", False)]
    assert show(run(check=True, repair=True)) == [("account_differs", NAME, "safe", False)]
    assert read_row(database) != before
    result = run(repair=True)
    assert (show(result), result["changed"]) == ([("account_differs", NAME, "safe", True)], True)
    assert read_row(database) == before
    assert run()["findings"] == []


def test_a_blocked_account_stays_blocked(run: Any, database: Any) -> None:
    database.execute("UPDATE users SET Status = 0")
    assert run(repair=True)["findings"] == []
    database.execute("UPDATE users SET Expires = NULL")
    assert show(run(repair=True)) == [("account_differs", NAME, "manual", False)]
    assert read_row(database)[0][1] == 0


def test_an_account_without_share_goes_and_others_stay(run: Any, database: Any, root: Path) -> None:
    database.execute(f"INSERT INTO users VALUES ('vieja', 'x', 3000, 3000, '{root}/vieja', 1, NULL)")
    Tree(root).manifest("p1").unlink()
    (root / NAME / "p1").rmdir()
    (root / NAME).rmdir()
    # Without a trace of its share it may be a disk of another day, and nothing is repaired.
    assert show(run(repair=True)) == [
        ("shares_lost", str(root), "manual", False),
        ("account_without_share", NAME, "safe", False),
    ]
    write_tombstone(Tree(root), Tombstone("p1", 1, format_time(0), ftpuser=NAME))
    assert show(run(repair=True)) == [("account_without_share", NAME, "safe", True)]
    assert database.execute("SELECT User FROM users") == (("vieja",),)
    assert read_account(Tree(root), NAME) is None


def test_a_damaged_manifest_keeps_the_account(run: Any, database: Any, root: Path) -> None:
    Tree(root).manifest("p1").write_text("{")
    result = run(repair=True)
    assert [finding["kind"] for finding in result["findings"]] == ["damaged_manifest"]
    assert len(read_row(database)) == 1


def test_a_share_without_account_is_listed(run: Any, database: Any) -> None:
    database.execute("DELETE FROM users")
    assert show(run(repair=True)) == [("share_without_account", "p1", "manual", False)]


def test_a_share_past_its_expiry_takes_its_account_along(run: Any, database: Any, root: Path) -> None:
    write_share(root, "p1", ready_at="2020-01-01T00:00:00Z", expires="2020-01-11T00:00:00Z")
    database.execute("UPDATE users SET Expires = '2020-01-11 00:00:00'")
    result = run(repair=True)
    assert ("share_past_expiry", "p1", "safe", True) in show(result)
    assert read_row(database) == ()
    assert not (root / NAME).exists()


def test_an_adopted_account_is_never_written(run: Any, run_module: Any, database: Any, root: Path) -> None:
    database.execute(f"INSERT INTO users VALUES ('vieja', 'x', 2001, 2001, '{root}/vieja', 1, NULL)")
    (root / "vieja" / "v1").mkdir(parents=True, mode=0o750)
    write_share(root, "v1", ftpuser="vieja", origin="adopted", path=str(root / "vieja" / "v1"))
    adopted = run_module(name="vieja", adopt=True, shares_root=str(root))
    assert adopted["users"][0]["origin"] == "adopted"
    assert run()["findings"] == []
    database.execute("UPDATE users SET Uid = 5 WHERE User = 'vieja'")
    assert show(run(repair=True)) == [("account_differs", "vieja", "manual", False)]
    Tree(root).manifest("v1").unlink()
    (root / "vieja" / "v1").rmdir()
    assert run(repair=True)["findings"] == []
    assert database.execute("SELECT Uid FROM users WHERE User = 'vieja'") == ((5,),)


def test_without_the_server_only_that_is_a_finding(run: Any) -> None:
    result = run(**NO_SERVER)
    assert [finding["kind"] for finding in result["findings"]] == ["not_looked_at"]
    assert result["facts"]["accounts"] is None
    assert run(accounts=False)["findings"] == []


def test_ftpuser_info_tells_what_there_is_and_no_hash(run: Any, database: Any, root: Path) -> None:
    database.execute(f"INSERT INTO users VALUES ('vieja', 'x', 3000, 3000, '{root}/vieja', 0, NULL)")
    result = run(tempoftp_ftpuser_info)
    assert [(user["name"], user["origin"], user["state"], user["shares"]) for user in result["users"]] == [
        (NAME, "created", "present", ["p1"]),
        ("vieja", "adopted", "blocked", []),
    ]
    assert result["changed"] is False
    assert HASH not in json.dumps(result)
    only = run(tempoftp_ftpuser_info, names=["vieja"])
    assert [user["name"] for user in only["users"]] == ["vieja"]
    assert run(tempoftp_ftpuser_info, names=["a b"])["failed"] is True
    assert "127.0.0.1:1" in run(tempoftp_ftpuser_info, **NO_SERVER)["msg"]


def test_share_info_is_a_module_that_changes_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for ids, count in ((None, 1), (["p1"], 1), (["other"], 0)):
        capsys.readouterr()
        with patch_module_args({"root": str(root), "ids": ids}), pytest.raises(SystemExit):
            tempoftp_share_info.main()
        result = json.loads(capsys.readouterr().out)
        assert (result["changed"], len(result["shares"])) == (False, count)
    with patch_module_args({"root": "/nonexistent"}), pytest.raises(SystemExit):
        tempoftp_share_info.main()
    assert json.loads(capsys.readouterr().out)["error"]["class"] == "root_missing"


def test_every_returned_key_is_documented(run: Any, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    audited = run()
    documented = yaml.safe_load(tempoftp_audit.RETURN)
    assert set(audited) - {"changed", "invocation", "warnings", "deprecations"} == set(documented)
    assert set(audited["facts"]) == set(documented["facts"]["contains"])
    users = run(tempoftp_ftpuser_info)["users"]
    account = set(yaml.safe_load(tempoftp_ftpuser_info.RETURN)["users"]["contains"])
    assert set(users[0]) == account
    assert set(audited["facts"]["accounts"][0]) == account - {"shares"}
    with patch_module_args({"root": str(root)}), pytest.raises(SystemExit):
        tempoftp_share_info.main()
    told = json.loads(capsys.readouterr().out)
    info = yaml.safe_load(tempoftp_share_info.RETURN)
    assert set(told) - {"changed", "invocation"} == set(info)
    share = set(info["shares"]["contains"])
    assert set(told["shares"][0]) == share
    assert set(audited["facts"]["shares"][0]) == share - {"copying", "staged", "tombstone"}
    assert set(told["homes"][0]) == set(info["homes"]["contains"])


@pytest.mark.parametrize("module", [tempoftp_audit, tempoftp_ftpuser_info])
def test_the_hosts_lock_is_free_while_the_database_does_not_answer(run: Any, root: Path, module: Any) -> None:
    server = SilentServer()
    with ThreadPoolExecutor(1) as pool, closing(server):
        login = {"login_host": "127.0.0.1", "login_port": server.port, "connect_timeout": 20}
        audit = pool.submit(run, module, **login)
        assert server.accepted.wait(60)
        with hold_lock(Tree(root).lock, timeout=5):
            assert not audit.done(), "the database was waited for before the lock was tried"
        server.close()
        result = audit.result(60)
    if module is tempoftp_audit:
        assert [finding["kind"] for finding in result["findings"]] == ["not_looked_at"]
        assert [share["id"] for share in result["facts"]["shares"]] == ["p1"]
    else:
        assert result["error"]["class"] == "database_unavailable"


def test_the_hosts_lock_is_free_while_the_table_is_locked(run: Any, root: Path, database: Any) -> None:
    """The server answered once; then somebody alters the table, and the rows are waited for."""
    with waiting_for_the_table(database, run) as (audit, _cursor), hold_lock(Tree(root).lock, timeout=5):
        assert not audit.done()
    assert audit.result(60)["findings"] == []


def test_what_a_run_changes_between_files_and_rows_is_no_finding(
    run: Any, run_module: Any, database: Any, root: Path
) -> None:
    """The account's row is read after the files: the share that a run delivers in between is seen with both."""
    with waiting_for_the_table(database, run) as (audit, cursor), hold_lock(Tree(root).lock, timeout=5):
        Tree(root).manifest("p1").unlink()
        write_tombstone(Tree(root), Tombstone("p1", 1, format_time(0), NAME))
        delete_account(Tree(root), NAME)
        (root / NAME / "p1").rmdir()
        (root / NAME).rmdir()
        cursor.execute("DELETE FROM users")
        cursor.connection.commit()
    result = audit.result(60)
    assert result["findings"] == []
    assert (result["facts"]["shares"], result["facts"]["accounts"]) == ([], [])
