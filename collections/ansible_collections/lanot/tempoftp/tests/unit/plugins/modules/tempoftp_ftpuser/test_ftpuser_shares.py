# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""With shares_root: manifests, records, and the order in which they and the table are written."""

from __future__ import annotations

import json
import time

import pymysql
import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.times import format_time, require_time
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.tree import prepare_tree
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.accounts import (
    Account,
    read_account,
    write_account,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.manifest import (
    Manifest,
    read_manifest,
    write_manifest,
)

NAME = "ftp_alguien"
HASH = "$2b$12$" + "a" * 53
THEIRS = "$6$salt$" + "x" * 86
COLUMNS = [
    *[("User", 255), ("Password", 255), ("Uid", None), ("Gid", None), ("Dir", 255), ("Status", None)],
    ("Expires", None),
]
FIELDS = "`User`, `Password`, `Uid`, `Gid`, `Dir`, `Status`, `Expires`"
DAY = 86400
# The module asks the real clock, so these moments follow it: a share that became ready an hour ago, and its ends.
READY_AT = int(time.time()) - 3600
READY, AFTER_3_DAYS, AFTER_5_DAYS, AFTER_90_DAYS = (
    format_time(READY_AT + days * DAY) for days in (0, 3, 5, 90)
)


@pytest.fixture
def tree(tmp_path, record_root):
    made = record_root(tmp_path / "data")
    prepare_tree(made)
    return made


@pytest.fixture
def run_shared(run, tree):
    """Return a function that runs the list form for one account with shares_root."""

    def run_one(check=False, **desired):
        desired = {"name": NAME, "password_hash": HASH, **desired}
        result = run(check=check, shares_root=str(tree.root), users=[desired])
        return result["users"][0], result

    return run_one


def write_share(tree, share_id="s1", **changes):
    manifest = Manifest(share_id, 1, NAME, "source1:/x", state="delivered", lifetime_days=3)._replace(
        **changes
    )
    write_manifest(tree, manifest)
    return manifest


def build_row(tree, expires=None, status=1, password=HASH):
    seconds = None if expires is None else require_time(expires)
    moment = None if seconds is None else pymysql.converters.convert_datetime(_to_mysql(expires))
    return (NAME, password, 2001, 2001, f"{tree.root}/{NAME}", status, moment)


def _to_mysql(text):
    return text.replace("T", " ").rstrip("Z")


class Anything:
    """Equals whatever it is compared with, and remembers it."""

    def __eq__(self, other):
        self.value = other
        return True

    __hash__ = None


def expect_insert(server, tree, answer=()):
    expires = Anything()
    values = [NAME, HASH, 2001, 2001, f"{tree.root}/{NAME}", "1", expires]
    server.expect(r"^INSERT INTO `users` .*`Expires`\) VALUES \((%s, ){6}%s\)$", values, answer)
    return expires


def test_an_account_without_a_delivered_share_waits(server, run_shared, tree):
    write_share(tree, state="copying")
    server.expect_table(COLUMNS)
    server.expect_looks([NAME], fields=FIELDS)
    user, result = run_shared()
    assert (user["skipped_reason"], user["state"], result["changed"]) == (
        "no_delivered_share",
        "absent",
        False,
    )
    assert not tree.account(NAME).exists()


def test_the_first_delivered_share_makes_record_row_and_times_in_that_order(
    server, run_shared, tree, monkeypatch
):
    write_share(tree)
    steps = []
    for step, real in (("write_account", write_account), ("write_manifest", write_manifest)):
        monkeypatch.setattr(
            f"ansible_collections.lanot.tempoftp.plugins.module_utils._account.run.{step}",
            lambda tree, value, real=real, step=step: (steps.append(step), real(tree, value)),
        )
    real_execute = server.execute
    monkeypatch.setattr(
        server, "execute", lambda *call: (steps.append(call[0].split()[0]), real_execute(*call))
    )
    server.expect_table(COLUMNS)
    server.expect_looks([NAME], fields=FIELDS)
    expires = expect_insert(server, tree)
    server.expect_commit()
    rows: list = []
    server.expect_read([NAME], rows, fields=FIELDS)
    monkeypatch.setattr(
        server,
        "commit",
        lambda: (
            real_commit(server),
            hasattr(expires, "value") and rows.append(build_row(tree, expires.value.replace(" ", "T") + "Z")),
        ),
    )
    user = run_shared()[0]
    assert user["error"] is None
    assert steps[3:6] == ["SELECT", "COMMIT", "SELECT"]
    assert steps[6:] == ["write_account", "INSERT", "COMMIT", "SELECT", "write_manifest"]
    manifest = read_manifest(tree, "s1")
    assert require_time(manifest.expires) - require_time(manifest.ready_at) == 3 * DAY
    assert user["expires"] == manifest.expires
    assert user["shares"] == [
        {"id": "s1", "generation": 1, "ready_at": manifest.ready_at, "expires": manifest.expires}
    ]
    assert (user["created"], user["origin"]) == (True, "created")
    assert json.loads(tree.account(NAME).read_text())["origin"] == "created"


def real_commit(server):
    server.execute("COMMIT")


def test_no_share_is_ready_before_the_table_has_the_account(server, run_shared, tree):
    write_share(tree)
    server.expect_table(COLUMNS)
    server.expect_looks([NAME], fields=FIELDS)
    expect_insert(server, tree, pymysql.err.OperationalError(2013, "Lost connection"))
    user = run_shared()[0]
    assert user["error"]["class"] == "database_unavailable"
    assert read_manifest(tree, "s1").ready_at is None
    # The next run must not take its own half-made account for somebody else's.
    assert read_account(tree, NAME).origin == "created"


def test_no_share_is_ready_when_the_row_reads_back_differently(server, run_shared, tree):
    write_share(tree)
    server.expect_table(COLUMNS)
    server.expect_looks([NAME], fields=FIELDS)
    expect_insert(server, tree)
    server.expect_commit()
    server.expect_read([NAME], fields=FIELDS)
    user, result = run_shared()
    assert "the row itself" in user["error"]["message"]
    assert result["changed"]
    assert read_manifest(tree, "s1").ready_at is None


def test_what_a_kill_left_after_the_insert_is_repaired(server, run_shared, tree):
    write_share(tree, ready_at=READY, expires=AFTER_90_DAYS, lifetime_days=90)
    write_share(tree, "s2")
    write_account(tree, Account(NAME, "created", READY))
    server.expect_table(COLUMNS)
    server.expect_looks([NAME], [build_row(tree, AFTER_90_DAYS)], fields=FIELDS)
    user = run_shared()[0]
    assert (user["changed"], user["created"]) == (True, False)
    assert read_manifest(tree, "s2").ready_at is not None
    assert read_manifest(tree, "s1").expires == AFTER_90_DAYS


def test_the_second_run_changes_nothing(server, run_shared, tree):
    write_share(tree, ready_at=READY, expires=AFTER_90_DAYS, lifetime_days=90)
    write_account(tree, Account(NAME, "created", READY))
    server.expect_table(COLUMNS)
    server.expect_looks([NAME], [build_row(tree, AFTER_90_DAYS)], fields=FIELDS)
    user, result = run_shared()
    assert (user["changed"], result["changed"], result["diff"]) == (False, False, [])
    assert user["expires"] == AFTER_90_DAYS


def test_check_mode_writes_neither_table_nor_files(server, run_shared, tree):
    write_share(tree)
    before = {path: path.read_bytes() for path in tree.state.rglob("*.json")}
    server.expect_table(COLUMNS)
    server.expect_looks([NAME], fields=FIELDS)
    user, result = run_shared(check=True)
    assert (user["state"], result["changed"]) == ("present", True)
    assert {path: path.read_bytes() for path in tree.state.rglob("*.json")} == before


def test_check_mode_makes_no_state_directory(server, run, tmp_path, record_root):
    root = record_root(tmp_path / "fresh").root
    server.expect_table(COLUMNS)
    server.expect_looks([NAME], fields=FIELDS)
    result = run(check=True, shares_root=str(root), users=[{"name": NAME, "password_hash": HASH}])
    assert result["users"][0]["skipped_reason"] == "no_delivered_share"
    assert sorted(path.name for path in (root / ".tempoftp").iterdir()) == ["lock", "root.json"]


def test_an_account_that_was_there_is_read_only_ever(server, run_shared, tree):
    write_share(tree)
    server.expect_table(COLUMNS)
    server.expect_looks([NAME], [build_row(tree, password=THEIRS)], fields=FIELDS)
    user = run_shared(update_password="always", adopt=True)[0]
    assert (user["origin"], user["state"], user["password_hash"]) == ("adopted", "present", THEIRS)
    assert read_account(tree, NAME).origin == "adopted"
    assert read_manifest(tree, "s1").ready_at is not None


@pytest.mark.parametrize(
    "stored",
    [
        "in clear",
        "$ecreto",
        "d8578edf8458ce06fbc5bb76a58c5ca4",
        "*94BDCEBE19083CE2A1F959FD02F964C7AF4CFC29",
        "",
    ],
)
def test_what_is_stored_and_is_no_hash_does_not_leave_the_host(server, run_shared, tree, stored):
    write_share(tree)
    server.expect_table(COLUMNS)
    server.expect_looks([NAME], [build_row(tree, password=stored)], fields=FIELDS)
    user, result = run_shared(update_password="always", adopt=True)
    assert (user["password_hash"], user["password_matches"]) == (None, False)
    assert not stored or stored not in json.dumps(result)


def test_an_account_that_was_there_is_nobodys_until_somebody_says_so(server, run_shared, tree):
    write_share(tree)
    server.expect_table(COLUMNS)
    server.expect_looks([NAME], [build_row(tree, password="theirs")], fields=FIELDS)
    user, result = run_shared()
    assert (user["error"]["class"], user["error"]["transient"], result["changed"]) == (
        "account_conflict",
        False,
        False,
    )
    assert "password_hash" not in user
    assert not tree.account(NAME).exists()
    assert read_manifest(tree, "s1").ready_at is None


def test_a_stranger_s_account_reads_nothing_of_what_was_delivered_for_its_name(server, run_shared, tree):
    """Its home did not exist, so the share was delivered before the table was asked."""
    write_share(tree)
    write_share(tree, "s2", origin="adopted")
    for share_id in ("s1", "s2"):
        (tree.home(NAME) / share_id).mkdir(parents=True)
        tree.home(NAME).chmod(0o750)
    server.expect_table(COLUMNS)
    server.expect_looks([NAME], [build_row(tree, password="theirs")], fields=FIELDS)
    assert run_shared()[0]["error"]["class"] == "account_conflict"
    # What somebody had allowed for this home stays.
    assert [path.name for path in tree.home(NAME).iterdir()] == ["s2"]
    assert tree.held("s1").is_dir()


def test_an_account_of_ours_that_is_in_conflict_keeps_its_shares(server, run_shared, tree):
    write_share(tree)
    (tree.home(NAME) / "s1").mkdir(parents=True)
    write_account(tree, Account(NAME, "created", READY))
    server.expect_table(COLUMNS)
    server.expect_looks([NAME], [build_row(tree), build_row(tree)], fields=FIELDS)
    assert run_shared()[0]["error"]["class"] == "account_conflict"
    assert (tree.home(NAME) / "s1").is_dir()


@pytest.mark.parametrize("state", ["absent", "blocked"])
def test_an_account_that_was_there_is_kept(server, run_shared, tree, state):
    server.expect_table(COLUMNS)
    server.expect_looks([NAME], [build_row(tree, password="theirs")], fields=FIELDS)
    user, result = run_shared(state=state)
    assert (user["kept_reason"], user["state"], result["changed"]) == ("adopted", "present", False)


def test_an_account_with_a_live_share_is_kept(server, run_shared, tree):
    write_share(tree, state="copying")
    write_account(tree, Account(NAME, "created", READY))
    server.expect_table(COLUMNS)
    server.expect_looks([NAME], [build_row(tree)], fields=FIELDS)
    user, result = run_shared(state="absent")
    assert (user["kept_reason"], result["changed"]) == ("live_shares", False)


def test_removing_deletes_the_row_then_the_record(server, run_shared, tree):
    write_account(tree, Account(NAME, "created", READY))
    server.expect_table(COLUMNS)
    server.expect_looks([NAME], [build_row(tree)], fields=FIELDS)
    server.expect("^DELETE FROM `users` WHERE `User` = %s AND BINARY `User` = %s$", [NAME, NAME])
    server.expect_commit()
    server.expect_read([NAME], fields=FIELDS)
    user = run_shared(state="absent")[0]
    assert (user["state"], user["changed"], user["sessions_ended"]) == ("absent", True, 0)
    assert not tree.account(NAME).exists()


def test_a_row_that_survives_its_delete_keeps_its_record(server, run_shared, tree):
    write_account(tree, Account(NAME, "created", READY))
    server.expect_table(COLUMNS)
    server.expect_looks([NAME], [build_row(tree)], fields=FIELDS)
    server.expect("^DELETE", [NAME, NAME])
    server.expect_commit()
    server.expect_read([NAME], [build_row(tree)], fields=FIELDS)
    user = run_shared(state="absent")[0]
    assert (user["state"], user["error"]["class"]) == ("unknown", "database_unavailable")
    assert tree.account(NAME).exists()


def test_blocking_writes_the_status_only(server, run_shared, tree):
    write_account(tree, Account(NAME, "created", READY))
    server.expect_table(COLUMNS)
    server.expect_looks([NAME], [build_row(tree)], fields=FIELDS)
    server.expect(r"^UPDATE `users` SET `Status` = %s WHERE", ["0", NAME, NAME])
    server.expect_commit()
    server.expect_read([NAME], [build_row(tree, status=0)], fields=FIELDS)
    user = run_shared(state="blocked")[0]
    assert (user["state"], user["password_matches"]) == ("blocked", True)


def test_a_root_that_others_can_write_is_refused(server, run_shared, tree):
    tree.root.chmod(0o777)
    server.expect_table(COLUMNS)
    user, result = run_shared()
    assert user["error"]["class"] == "invalid"
    assert not result["changed"]
    assert result["database"]["ok"]


def test_a_root_that_cannot_be_prepared_is_an_error_of_the_accounts(server, run_shared, tree, monkeypatch):
    def refuse(tree):
        raise OSError(30, "Read-only file system", str(tree.state))

    monkeypatch.setattr(
        "ansible_collections.lanot.tempoftp.plugins.module_utils._account.run.prepare_tree", refuse
    )
    server.expect_table(COLUMNS)
    server.expect_read([NAME], fields=FIELDS)
    server.expect_commit()
    user, result = run_shared()
    assert user["error"]["class"] == "run_failed"
    assert "Read-only" in user["error"]["message"]
    assert result["database"]["ok"]


@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_damaged_record_is_that_accounts_error(server, run_shared, tree, state):
    write_share(tree)
    tree.account(NAME).write_text("{")
    server.expect_table(COLUMNS)
    server.expect_looks([NAME], fields=FIELDS)
    user = run_shared(state=state)[0]
    assert user["error"]["class"] == "run_failed"
    assert str(tree.account(NAME)) in user["error"]["message"]


def test_a_full_disk_is_that_accounts_error(server, run_shared, tree, monkeypatch):
    write_share(tree)

    def refuse(tree, record):
        raise OSError(28, "No space left on device", str(tree.account(NAME)))

    monkeypatch.setattr(
        "ansible_collections.lanot.tempoftp.plugins.module_utils._account.run.write_account", refuse
    )
    server.expect_table(COLUMNS)
    server.expect_looks([NAME], fields=FIELDS)
    user = run_shared()[0]
    assert user["error"]["class"] == "no_space"
    assert str(tree.account(NAME)) in user["error"]["message"]


def make_ours(tree, **changes):
    write_account(tree, Account(NAME, "created", READY)._replace(**changes))


def test_a_changed_number_of_days_is_written_to_the_row_and_then_to_the_manifest(server, run_shared, tree):
    write_share(tree, ready_at=READY, expires=AFTER_3_DAYS, lifetime_days=5)
    make_ours(tree)
    server.expect_table(COLUMNS)
    server.expect_looks([NAME], [build_row(tree, AFTER_3_DAYS)], fields=FIELDS)
    server.expect(
        "^UPDATE `users` SET `Expires` = %s WHERE `User` = %s AND BINARY `User` = %s$",
        [_to_mysql(AFTER_5_DAYS), NAME, NAME],
    )
    server.expect_commit()
    server.expect_read([NAME], [build_row(tree, AFTER_5_DAYS)], fields=FIELDS)
    user = run_shared()[0]
    assert (user["expires"], user["shares"][0]["expires"]) == (AFTER_5_DAYS,) * 2
    manifest = read_manifest(tree, "s1")
    assert (manifest.ready_at, manifest.expires) == (READY, AFTER_5_DAYS)


def test_an_extension_is_not_promised_before_the_table_has_it(server, run_shared, tree):
    write_share(tree, ready_at=READY, expires=AFTER_3_DAYS, lifetime_days=5)
    make_ours(tree)
    server.expect_table(COLUMNS)
    server.expect_looks([NAME], [build_row(tree, AFTER_3_DAYS)], fields=FIELDS)
    server.expect(
        "^UPDATE",
        [_to_mysql(AFTER_5_DAYS), NAME, NAME],
        pymysql.err.OperationalError(2013, "Lost connection"),
    )
    assert run_shared()[0]["error"]["class"] == "database_unavailable"
    assert read_manifest(tree, "s1").expires == AFTER_3_DAYS


@pytest.mark.parametrize("state", ["present", "blocked"])
def test_an_account_is_blocked_with_its_last_share(server, run_shared, tree, state):
    times = {"ready_at": READY, "expires": AFTER_3_DAYS}
    write_share(tree, "s1", state="blocked", hidden=True, **times)
    write_share(tree, "s2", state="blocked", hidden=True, **times)
    make_ours(tree)
    server.expect_table(COLUMNS)
    server.expect_looks([NAME], [build_row(tree, AFTER_3_DAYS)], fields=FIELDS)
    server.expect("^UPDATE `users` SET `Status` = %s WHERE", ["0", NAME, NAME])
    server.expect_commit()
    server.expect_read([NAME], [build_row(tree, AFTER_3_DAYS, status=0)], fields=FIELDS)
    user = run_shared(state=state)[0]
    assert (user["state"], [share["id"] for share in user["shares"]]) == ("blocked", ["s1", "s2"])


def test_a_late_password_is_refused_and_a_new_one_counted(server, run_shared, tree):
    write_share(tree, ready_at=READY, expires=AFTER_3_DAYS)
    make_ours(tree, password_generation=2)
    old = "$2b$12$" + "b" * 53
    for number, changed in ((1, False), (2, False), (3, True)):
        server.expect_table(COLUMNS)
        server.expect_looks([NAME], [build_row(tree, AFTER_3_DAYS, password=old)], fields=FIELDS)
        if changed:
            server.expect("^UPDATE `users` SET `Password` = %s WHERE", [HASH, NAME, NAME])
            server.expect_commit()
            server.expect_read([NAME], [build_row(tree, AFTER_3_DAYS)], fields=FIELDS)
        desired = {"update_password": "always", "password_generation": number}
        user = run_shared(**desired, password_hash=HASH if changed else old)[0]
        assert (user["error"] or {}).get("class") == ("stale" if number == 1 else None)
        assert user["changed"] is changed
        assert read_account(tree, NAME).password_generation == (3 if changed else 2)


@pytest.mark.parametrize("state", ["present", "absent", "blocked"])
@pytest.mark.parametrize("check", [False, True])
def test_without_the_disk_no_account_of_a_share_is_written(run_shared, server, tree, state, check):
    # Whose account it is and which shares it has stands on the disk. Its end is in the login query, which goes on.
    write_share(tree)
    tree.root.rename(tree.root.with_name("away"))
    tree.root.mkdir(mode=0o755)
    server.expect_table()
    user, result = run_shared(check=check, state=state)
    assert user["error"]["class"] == "root_missing" and user["error"]["transient"]
    assert result["changed"] is False and list(tree.root.iterdir()) == []
