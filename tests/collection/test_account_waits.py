"""tempoftp_ftpuser waits for the database and hashes passwords while the host's lock is free."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._account import prepared
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.passwords import hash_password
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.lock import hold_lock, is_locked
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.times import format_time
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.tree import Tree, prepare_tree
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.manifest import (
    Manifest,
    read_manifest,
    write_manifest,
)

from tests.collection.slow_servers import SilentServer, waiting_for_the_table
from tests.collection.users_tables import OUR_TABLE
from tests.support.delivery_root import record_root

NAME = "ftp_alguien"
HASH = "$2b$12$" + "a" * 53
PASSWORD = "a good password"

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A delivery root with a delivered share, whose account is to be made."""
    root = tmp_path / "data"
    (root / NAME / "p1").mkdir(parents=True)
    for path in (root, root / NAME, root / NAME / "p1"):
        path.chmod(0o750)
    prepare_tree(record_root(root, monkeypatch))
    share = Manifest("p1", 1, NAME, "source1:/srv/x", state="delivered", path=str(root / NAME / "p1"))
    write_manifest(Tree(root), share._replace(delivered_at=format_time(0)))
    return root


@pytest.fixture
def run(database: Any, run_module: Run, root: Path) -> Run:
    """Return a function that runs tempoftp_ftpuser for the account of the share."""
    database.make_table(OUR_TABLE)
    return partial(run_module, name=NAME, shares_root=str(root))


def test_the_lock_is_free_while_the_table_is_locked(run: Run, root: Path, database: Any) -> None:
    wanted = partial(run, password_hash=HASH)
    with (
        waiting_for_the_table(database, wanted) as (running, _cursor),
        hold_lock(Tree(root).lock, timeout=5),
    ):
        assert not running.done()
    result = running.result(60)
    assert (result["users"][0]["state"], result["changed"]) == ("present", True)
    assert read_manifest(Tree(root), "p1").ready_at is not None
    assert not run(password_hash=HASH)["changed"]


def test_what_changes_while_it_waits_is_what_counts(run: Run, root: Path, database: Any) -> None:
    """The rows and the shares are read once more under the lock."""
    other = "$2b$12$" + "b" * 53
    row = f"('{NAME}', '{other}', 2001, 2001, '{root}/{NAME}', 1, NULL)"
    run(password_hash=HASH)
    wanted = partial(run, password_hash=HASH)
    with waiting_for_the_table(database, wanted) as (running, cursor):
        cursor.execute("DELETE FROM users")
        cursor.execute(f"INSERT INTO users VALUES {row}")
        cursor.connection.commit()
    user = running.result(60)["users"][0]
    assert (user["state"], user["password_matches"]) == ("present", False)
    assert database.execute("SELECT Password FROM users") == ((other,),)


def test_the_lock_is_free_while_the_server_does_not_answer(run: Run, root: Path) -> None:
    server = SilentServer()
    login = {"login_host": "127.0.0.1", "login_port": server.port, "connect_timeout": 20}
    with ThreadPoolExecutor(1) as pool, closing(server):
        running = pool.submit(run, password_hash=HASH, **login)
        assert server.accepted.wait(60)
        with hold_lock(Tree(root).lock, timeout=5):
            assert not running.done()
        server.close()
        assert running.result(60)["error"]["class"] == "database_unavailable"


def test_a_password_is_hashed_once_and_while_the_lock_is_free(
    run: Run, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def hash_and_look(password: str, scheme: str) -> str:
        seen.append(is_locked(Tree(root).lock))
        return hash_password(password, scheme)

    monkeypatch.setattr(prepared, "hash_password", hash_and_look)
    made = run(password=PASSWORD)
    assert (made["users"][0]["password_matches"], seen) == (True, [False])
    again = run(password=PASSWORD, update_password="always")
    assert (again["changed"], len(seen)) == (False, 1)
    changed = run(password=f"{PASSWORD} 2", update_password="always")
    assert (changed["changed"], seen) == (True, [False, False])
    assert run(password=f"{PASSWORD} 2")["users"][0]["password_matches"] is True


def test_a_password_that_is_refused_is_still_the_error_of_its_account(run: Run) -> None:
    error = run(password="short")["error"]
    assert "less than 8 characters" in error["message"]
